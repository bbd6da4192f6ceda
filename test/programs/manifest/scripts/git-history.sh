#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Changing history: rebase, cherry-pick, stash, bisect with a script, format-patch and am, revert, hooks.

set -e
umask 022
git init -q -b main repo
cd repo
for n in $(seq 10); do
  echo "step $n" >> log
  echo "$((n < 7 ? n : -n))" > value
  git add .
  git commit -q -m "Step $n"
done
git bisect start HEAD HEAD~9 > /dev/null
git bisect run sh -c 'test "$(cat value)" -ge 0' | grep -E 'is the first bad|^    Step'
git bisect reset 2> /dev/null
git checkout -q -b topic HEAD~3
echo topic > topic
git add topic
git commit -q -m 'Topic begins'
echo more >> topic
git commit -q -am 'Topic goes on'
git rebase -q main
git tag topped
git log --format=%s -4
git checkout -q main
git cherry-pick topic~1 > /dev/null
git log --format='%s %t' -1
git revert --no-edit HEAD > /dev/null
git log --format=%s -1
git checkout -q topic
echo unfinished >> topic
echo new > untracked
git stash push -q -u -m 'half done'
git status -s
git stash list
git stash pop -q
git status -s
git checkout -q -- topic
rm untracked
git format-patch -q -o ../patches main~2..topic
ls ../patches
for name in main main~1 topic; do git rev-parse --short $name; done
sed -n '/^---$/,/^-- $/p' ../patches/0001* | head -n 8
git checkout -q -b applied main
git am -q ../patches/*.patch
git diff topic --stat --
git log --format=%s -2
git checkout -q topic
GIT_SEQUENCE_EDITOR='sed -i "2s/pick/squash/"' GIT_EDITOR=true git rebase -q -i HEAD~2
git log --format=%B -1
cat > .git/hooks/pre-commit <<'HOOK'
#!/bin/sh
if git diff --cached | grep -q '^+.*forbidden'; then
  echo "the hook refuses"
  exit 1
fi
HOOK
chmod +x .git/hooks/pre-commit
echo forbidden > bad
git add bad
git commit -q -m Bad || echo "status $?"
echo allowed > bad
git add bad
git commit -q -m Good
git log --format=%s -1
git commit -q --amend -m Better
git log --format='%s %P' -1
FILTER_BRANCH_SQUELCH_WARNING=1 git filter-branch -f --msg-filter 'tr a-z A-Z' HEAD~1..HEAD > /dev/null 2>&1 || true
git log --format=%s -1
git notes add -m 'a note' HEAD
git log --format='%N' -1
git submodule status
git range-diff main~1 main~1 main | wc -l
