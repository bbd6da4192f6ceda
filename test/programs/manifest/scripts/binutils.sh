#!/bin/bash
# SPDX-License-Identifier: MIT
#
# as, ld, ar, objcopy, objdump, readelf and addr2line without a C compiler.

set -e
cat > start.s <<'S'
        .globl _start
        .text
_start: mov $1, %eax
        mov $1, %edi
        lea message(%rip), %rsi
        mov $length, %edx
        syscall
        call twice
        mov %eax, %edi
        mov $60, %eax
        syscall
        .section .rodata
message: .ascii "no library at all\n"
        .equ length, . - message
S
cat > twice.s <<'S'
        .globl twice
twice:  mov counter(%rip), %eax
        add %eax, %eax
        ret
        .data
counter: .long 11
        .bss
        .lcomm space, 4096
S
as -g start.s -o start.o
as twice.s -o twice.o
ld start.o twice.o -o program
./program || echo "status $?"
ar rcsD lib.a twice.o
ld start.o lib.a -o other
./other || echo "status $?"
ld -pie --no-dynamic-linker start.o twice.o -o pie
./pie || echo "status $?"
ld -r start.o twice.o -o both.o
ld both.o -o third
./third > /dev/null || echo "status $?"
ld start.o -o fails 2>&1 | grep -o 'undefined reference.*' || true
nm program | awk '{ print $2, $3 }' | sort
objdump -d program --no-show-raw-insn | grep -A 4 '<twice>:' | tail -n 4 | cut -f 2-
objdump -s -j .data program | tail -n 1
readelf -S program | grep -oE '\.(text|rodata|data|bss)' | sort -u
readelf -l program | grep -c LOAD
addr2line -e program "$(nm program | awk '$3 == "_start" { print $1 }')" | sed 's#.*/##'
objcopy -O binary -j .rodata program raw
cat raw
objcopy --add-section .note.mine=raw program noted
readelf -p .note.mine noted | grep -o 'no library.*'
./noted > /dev/null || echo "status $?"
strip program
nm program 2>&1 | sed 's/.*: //' || true
strings -n 10 program | head -n 2
size -A other | awk '/text|data/ { print $1, $2 }'
cat > script.ld <<'L'
ENTRY(_start)
SECTIONS {
  . = 0x700000;
  .all : { *(.text) *(.rodata) *(.data) *(.bss) }
}
L
ld -T script.ld start.o twice.o -o placed
./placed || echo "status $?"
readelf -h placed | grep -i 'entry'
echo 'wrong $$ line' | as - -o none.o 2>&1 | tail -n 1
