#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A small repository: commits, branches, merges, a conflict, tags, blame, grep, statistics.

set -e
umask 022
git init -q -b main repo
cd repo
git config core.abbrev 10
for i in $(seq 30); do echo "line $i of the story"; done > story
mkdir src
echo 'int main(void) { return 0; }' > src/main.c
git add .
git commit -q -m 'Begin the story'
git status --short
echo 'build/' > .gitignore
mkdir build
touch build/made
git add .gitignore
git commit -q -m 'Ignore what is built'
git checkout -q -b feature
sed -i '5s/.*/line 5 is better now/; 20s/.*/line 20 too/' story
git commit -q -am 'Better lines'
git mv src/main.c src/program.c
echo '// more' >> src/program.c
git commit -q -am 'Rename the program'
git checkout -q main
sed -i '12s/.*/line 12 in main/' story
git commit -q -am 'Line 12'
git merge -q -m 'Merge feature' feature
git log --oneline --graph --decorate
git log --format='%h %an %ad %s' --date=iso --stat -2
git diff --stat main~1 main
git diff main~1 -- src
git show --format=%B --name-status HEAD~1

git checkout -q -b left main
sed -i '1s/.*/left says this/' story
git commit -q -am 'Left'
git checkout -q -b right main
sed -i '1s/.*/right says that/' story
git commit -q -am 'Right'
git merge left || echo "conflict, status $?"
git status --porcelain
cat story | head -n 5
git checkout --ours story
git add story
git commit -q -m 'Ours'
git log --format=%p -1
git tag -a v1 -m 'Version 1'
git describe
git tag -l -n
git blame -s story | sed -n '1p;5p;12p'
git grep -n 'line 2[0-9]'
git shortlog -s HEAD
git branch -v
git branch -d left
git rev-list --count --all
git ls-tree -r HEAD
git cat-file -p HEAD
git diff v1~1 --numstat
git reset -q --hard v1~1
git reflog -3
git clean -ndx
git rm -q story
git status -s
git restore --staged --worktree story
git rev-parse HEAD v1 'v1^{tree}'
git log --all --format=%s --grep=line -i
git archive --prefix=out/ HEAD | tar -tf -
git no-such-command 2>&1 | head -n 1
git checkout nowhere 2>&1 || true
git fsck
