#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What git does with its objects: loose and packed ones, repacking with threads, gc, clones, bundles, fetch and push.

set -e
umask 022
export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=pack.threads GIT_CONFIG_VALUE_0=2 GIT_CONFIG_KEY_1=gc.autoDetach GIT_CONFIG_VALUE_1=false
git init -q -b main repo
cd repo
for n in $(seq 12); do
  for f in one two three; do seq $((n * 10)) $((n * 10 + 200)) | sed "s/^/$f /" > $f; done
  git add .
  GIT_COMMITTER_DATE="$((1112912053 + n * 60)) +0000" git commit -q -m "Change $n"
done
git count-objects | cut -d' ' -f1
git rev-parse HEAD
git repack -q -a -d -f --window=10 --threads=2
git count-objects -v | grep -v size
git verify-pack -v .git/objects/pack/*.idx | grep -c 'blob'
git gc -q --prune=now
git fsck --full
git log --oneline | tail -n 2
cd ..

git clone -q --no-hardlinks repo copy
git clone -q --bare "file://$PWD/repo" bare.git
git -C bare.git rev-parse main
git clone -q --depth 3 "file://$PWD/repo" shallow
git -C shallow rev-list --count HEAD
cd copy
git remote set-url origin ../bare.git
echo pushed > four
git add four
git commit -q -m 'From the copy'
git push -q origin main
git -C ../bare.git log -1 --format='%h %s'
cd ../repo
git remote add bare ../bare.git
git fetch -q bare
git merge -q --ff-only bare/main
git log -1 --format=%s
git bundle create -q ../all.bundle --all
cd ..
git -C repo bundle verify -q ../all.bundle && echo "the bundle is whole"
git clone -q -b main all.bundle from-bundle
git -C from-bundle ls-files
echo 'a single blob' | git -C repo hash-object -w --stdin
git -C repo cat-file --batch-check <<< $'HEAD\nHEAD:one\nHEAD^{tree}\nnothing'
git -C repo ls-remote ../bare.git
git -C repo worktree add -q ../tree HEAD~2
ls tree
git -C repo worktree list | sed "s#$PWD/##"
git -C repo update-index --assume-unchanged one
git -C repo ls-files -v
mkdir -p repo/.git/objects/00
printf broken > "repo/.git/objects/00/$(printf '0%.0s' {1..38})"
git -C repo fsck 2>&1 | sed "s#$PWD/##" | sort | head -n 3
