#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds the calculator with make -j2, runs both of its programs, changes a file and builds again.

set -e
cp -r "$SCRIPTS/calc" .
cd calc
make -s -j2
./calc < lines.txt || echo "calc: $? errors"
./calc-shared < lines.txt | cmp - <(./calc < lines.txt) && echo "the same with the shared library"
make -q && echo "up to date"
rm names.o names.pic.o
make -n | sed 's/-std=gnu17 //'
make -s
ar t libcalc.a
nm libcalc.a | grep -E ' [TtUBD] ' | awk '{ print $(NF - 1), $NF }' | sort -u | head -n 20
readelf -d calc-shared | grep -E 'NEEDED|RUNPATH' | awk '{ print $NF }'
objdump -d --no-show-raw-insn parse.o | grep -cE 'call|jmp'
size parse.o | awk 'NR == 2 { print ($1 > 500) }'
echo 'int broken( { return 1 }' > bad.c
make bad.o 2>&1 | sed -n '1,3p' || true
make -k nothing 2>&1 || echo "make: $?"
make -s clean
ls
