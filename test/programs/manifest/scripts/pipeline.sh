#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Words of a made-up text through long pipelines: counting, joining, searching, replacing.

awk -v lines=3000 -f "$SCRIPTS/access.awk" > log
wc log
cut -d' ' -f1 log | sort | uniq -c | sort -k1,1nr -k2 | head -n 5
grep -c ' 404 ' log
grep -oE 'GET [^?]+' log | sort | uniq -c
grep -vE ' (200|304) ' log | sed -E 's/.*"GET ([^?]+).*" ([0-9]+) .*/\2 \1/' | sort | uniq -c | sort -rn | head -n 6
grep -nP '(?<=\[)0[0-3]:\d+:\d+\](?= "GET /login)' log | head -n 3
tr -cs '[:alnum:]' '\n' < log | sort -u | wc -l
awk '{ bytes[$1] += $NF } END { for (ip in bytes) print bytes[ip], ip }' log | sort -rn | head -n 3
sed -n '/"GET \/about/{s/.*?q=\([0-9]*\).*/\1/p}' log | sort -n | uniq | paste -sd+ | bc
paste -d' ' <(cut -d' ' -f1 log) <(rev log | cut -d' ' -f1 | rev) | sort -k1,1 -k2,2n | awk '$1 != p { print; p = $1 }' | head -n 4
split -n l/4 log part. && for f in part.*; do sort "$f" -o "$f" & done
wait
sort -m part.* | cmp - <(sort log) && echo "merged"
comm -12 <(head -n 2000 log | sort) <(tail -n 2000 log | sort) | wc -l
tee >(md5sum > sum) < log | gzip -9 | gzip -d | md5sum > again
until [[ -s sum ]]; do sleep 0.01; done
cmp again sum && cat sum
