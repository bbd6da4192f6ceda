#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tar alone and with each packer: round trips, exclusion, appending, links, sparse files, names that are long.

set -e
umask 022
mkdir -p in/deep/er
for i in 1 2 3 4 5; do seq $((i * 300)) > "in/deep/f$i"; done
ln in/deep/f1 in/hard
ln -s deep/f2 in/soft
truncate -s 1M in/sparse
echo end >> in/sparse
long=$(printf 'n%.0s' {1..120})
echo long > "in/deep/er/$long"
find in -exec touch -h -d '2003-04-05 06:07:08 UTC' {} +
plain=(--sort=name --owner=0 --group=0 --numeric-owner --format=gnu)

tar "${plain[@]}" -cf plain.tar in
md5sum < plain.tar
for packer in gzip bzip2 xz zstd; do
  tar "${plain[@]}" --$packer -cf "a.$packer" in
  mkdir "out.$packer"
  tar -xf "a.$packer" -C "out.$packer"
  diff -r --no-dereference in "out.$packer/in" && echo "$packer: the same"
  [[ out.$packer/in/hard -ef out.$packer/in/deep/f1 ]] && echo "$packer: hard links kept"
  [[ $(stat -c %Y "out.$packer/in/deep/f3") == $(stat -c %Y in/deep/f3) ]] && echo "$packer: times kept"
done
tar -tf plain.tar | sed "s/$long/LONG/"
tar -tvf plain.tar in/soft in/hard | tr -s ' '
tar -xOf plain.tar in/deep/f1 | tail -n 1
tar --exclude='*/er' --exclude=sparse -cf - in | tar -tf - | wc -l
tar -S "${plain[@]}" -cf sparse.tar in/sparse
echo "sparse archive is small: $(($(stat -c %s sparse.tar) < 50000))"
mkdir out.sparse
tar -xf sparse.tar -C out.sparse
cmp in/sparse out.sparse/in/sparse && echo "sparse: the same"
echo more > in/more
tar -rf plain.tar in/more
tar -df plain.tar && echo "no differences"
echo changed > in/deep/f1
tar -df plain.tar | sort || true
tar -uf plain.tar in/more
tar --delete -f plain.tar in/more
tar -tf plain.tar | grep -c .
tar --transform='s,^in,renamed,' -cf - in/soft | tar -tf -
tar -xf plain.tar --strip-components=2 -C out.sparse in/deep
ls out.sparse | head -n 3
(cd in && tar -cf - .) | (cd out.sparse && tar -xf - --keep-newer-files)
head -c 5000 a.gzip > broken.gz
tar -xzf broken.gz -C out.sparse 2>&1 | tail -n 1
tar -xf no-such-file 2>&1 | tail -n 1
tar -tzf a.xz 2>&1 | head -n 1
