#!/bin/bash
# SPDX-License-Identifier: MIT
#
# find with every kind of test and action over a thousand files.

mkdir -p t/{a..e}/{1..4}
for folder in t/?/?; do
  for i in {1..50}; do
    printf '%*s' $((i * 13)) '' > "$folder/f$i.$((i % 3)).txt"
  done
done
touch -d '2005-01-01 UTC' t/a/1/*
touch -d '2010-06-15 12:00 UTC' t/b/2/f1*
chmod 600 t/c/3/*
chmod u+x,g+w t/d/4/f2?.*
ln -s ../f1 t/e/1/link
ln t/e/2/f5.2.txt t/e/2/hard

count() { echo "$1: $(find t "${@:2}" | wc -l)"; }
count name -name 'f1*'
count iname -iname 'F2?.*'
count path -path '*/b/*/f3.*'
count regex -regex '.*/f[0-9]*[02468]\.1\.txt'
count extended -regextype posix-extended -regex '.*/(a|b)/[12]/f(1|2){2}\..*'
count type -type d
count symlink -type l
count links -links 2 -type f
count same -samefile t/e/2/hard
count size -size +400c -type f
count exact -size -130c -size +100c
count empty -empty
count mode -perm 600
count bits -perm -u+x -type f
count any -perm /g+w -type f
count newer -newermt 2010-01-01 ! -newermt 2011-01-01
count older ! -newermt 2006-01-01
count newerfile -newer t/b/2/f1.1.txt -type f -name f9.0.txt
count depth -mindepth 2 -maxdepth 2
count prune -name c -prune -o -name 'f1.*' -print
count logic \( -name 'f1.*' -o -name 'f2.*' \) -a ! -path '*/a/*'
count comma -name 'f1.*' -print , -name 'f2.*' -print
count user -user "$(id -u)" -type d
count writable -writable -type d

find t -name 'f50.*' -printf '%d %s %m %f %h %n %y\n' | sort | head -n 4
find t -type f -printf '%s\n' | awk '{ s += $1 } END { print s }'
find t/a -name 'f7.*' -exec md5sum {} \; | sort -k2
find t/b -name 'f[12].*' -exec grep -c ' ' {} + | sort
find t/c -name 'f9.*' -execdir pwd \; | sed "s#$PWD/##" | sort
find t -name 'f3?.0.txt' -print0 | sort -z | xargs -0 cat | wc -c
find t/d -type f -delete
find t/d -type d -empty | wc -l
find t -depth -name 4 -exec rm -r {} \; 2>/dev/null
count left -type f
find t -maxdepth 1 -exec test -d {} \; -quit -print
find t -maxdepth 1 -name b -fprintf listed '%p has %n links\n' -fls /dev/null
cut -d' ' -f1-2 listed
find nowhere 2>&1
echo "status $?"
find t -bad 2>&1 | head -n 1
