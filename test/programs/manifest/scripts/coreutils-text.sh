#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The text tools of coreutils, each on small data with an answer that can be read.

set -e
seq 1 12 | paste - - - - | tr '\t' , | tee table
cut -d, -f2,4 table | nl -ba -w3
printf 'b 2\na 1\nc 3\n' | sort > left
printf 'a x\nc z\nd w\n' > right
join left right
join -a1 -a2 -e none -o 0,1.2,2.2 left right
comm <(cut -d' ' -f1 left) <(cut -d' ' -f1 right)
echo 'The quick brown fox jumps over the lazy dog, again and again and again.' | fold -s -w 20
echo 'one two three four five six seven eight nine ten' | fmt -w 24
printf 'a\tb\tc\n' | expand -t 4 | unexpand -a -t 4 | od -c
seq 5 | tac | tr '\n' ' '
echo
printf 'x\nx\ny\nx\n' | uniq -c
printf 'x\nX\ny\n' | uniq -i -d
head -c 300 /dev/zero | od -An -tx1 | head -n 2
echo 'hello, world' | base64 | tee coded
base64 -d coded
echo test | md5sum
echo test | sha1sum
echo test | sha512sum | cut -c 1-32
echo test | b2sum | cut -c 1-32
echo test | cksum
echo test | sum
factor 360 97 1234567890 18446744073709551557
numfmt --to=iec 1048576 1500000 1
numfmt --from=si 1K 2.5M
printf 'a b\nb c\nd c\nc e\na d\n' | tsort | tr '\n' ' '
echo
seq -w 8 11
seq -f '%.3f' 0 0.25 1
printf '%s|%5d|%-5s|%x|%e\n' text 42 left 255 12345.678
expr 17 % 5 + 3 \* 2
expr abcdef : 'abc\(.*\)'
seq 100 | split -l 30 - part-
wc -l part-*
printf 'intro\nCHAPTER 1\na\nb\nCHAPTER 2\nc\n' | csplit -q -f chapter - '/CHAPTER/' '{*}'
head chapter0*
seq 1000 | shuf --random-source=<(yes seed) | sort -n | cmp - <(seq 1000) && echo "shuffled and sorted"
echo 'c,3;a,1;b,2' | tr ';' '\n' | sort -t, -k2,2nr
printf '10\n9\n2\n1e1\n' | sort -g
printf 'v1.10\nv1.9\nv1.2\n' | sort -V
printf 'Jan\nDec\nMar\n' | sort -M
echo one two | { read -r a b; echo "$b $a"; }
date -u -d '2024-02-29 13:14:15 +0200' '+%F %T %a %j %s'
date -u -d '2001-09-09 01:46:40 UTC 3 days' +%c
basename /usr/lib/libc.so.6 .6
dirname /usr/lib/libc.so.6
pr -t -3 -l 4 <(seq 12)
ptx -w 40 <<< 'a short line' | head -n 3
truncate -s 100K big
stat -c '%s %b %F' big
dd if=big of=small bs=1K count=3 skip=1 status=none
stat -c %s small
