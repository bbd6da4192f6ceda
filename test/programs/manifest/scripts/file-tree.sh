#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A tree of files: made, copied, linked, moved, searched, changed and removed.

set -e
umask 022
mkdir -p tree/{a,b/c/d,empty}
for i in 1 2 3; do printf '%*d\n' $((i * 100)) "$i" > "tree/a/file$i"; done
echo script > tree/b/run
chmod 750 tree/b/run
ln tree/a/file1 tree/b/hard
ln -s ../a/file2 tree/b/soft
ln -s nowhere tree/b/broken
ln -s "$PWD/tree" tree/b/c/loop
touch -d '2001-02-03 04:05:06 UTC' tree/a/file3 tree/b/run
touch -h -d '2002-03-04 UTC' tree/b/soft

find tree | sort
find tree -type f -printf '%P %s %m %n\n' | sort
find tree -type l -printf '%P -> %l\n' | sort
find tree -xtype l -name 'b*'
find tree -newermt 2010-01-01 -type f | sort
find tree -size +150c -type f | sort
find tree -perm -u+x -type f
find tree -empty -type d
find -L tree -maxdepth 2 -name file2
find tree -name 'file*' -exec wc -c {} +  | sort
find tree -type f -name 'file[12]' -exec sh -c 'echo "$(basename "$1")"' _ {} \; | sort
stat -c '%n %s %h %a %F' tree/a/file1 tree/b/soft tree/b/run
stat -c '%y' tree/a/file3
ls -l --time-style=+%F tree/a | awk 'NR > 1 { print $1, $2, $5, $7 }'
ls -1F tree/b
readlink tree/b/soft
readlink -f tree/b/soft | sed "s#$PWD#HERE#"
realpath --relative-to=tree/a tree/b/c/d

cp -a tree copy
diff -r tree copy && echo "the copy is the same"
[[ $(stat -c %Y tree/a/file3) == "$(stat -c %Y copy/a/file3)" ]] && echo "times were kept"
[[ copy/a/file1 -ef copy/b/hard ]] && echo "hard links were kept"
echo changed >> copy/a/file2
diff -rq tree copy || true
cp -r --backup=numbered tree/a/file1 copy/a/file2
ls copy/a
mv copy/a copy/moved
mv -n tree/a/file1 copy/moved/file3
ls copy/moved
rmdir copy/empty
rmdir copy/b 2>&1 | sed 's/.*: //' || true
rm -r copy
[[ ! -e copy ]] && echo "the copy is gone"
install -D -m 600 tree/b/run installed/deep/run
stat -c '%a %s' installed/deep/run
mkdir -m 700 private
stat -c %a private
[[ -L tree/b/broken && ! -e tree/b/broken ]] && echo "broken link"
cat tree/b/broken 2>&1 || true
cat tree/b/c/loop/b/c/loop/a/file2 | wc -c
du --apparent-size -b tree/a/file1 tree/a/file2
chmod -R go-rwx tree
find tree -perm /077 ! -type l | wc -l
(cd tree/a && tar cf - .) | (mkdir out && cd out && tar xf -)
ls out
