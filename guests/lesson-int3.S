# SPDX-License-Identifier: MIT
#
# For the lessons of the workshop: a program that intercepts its own calls with int3. It writes one byte over a
# syscall, and its SIGTRAP handler makes the call, puts the result into the frame and skips what is left of the syscall.

# The symbol table names this instead of the assembler's temporary file, so that a rebuilt guest is the same.
.file "lesson-int3.S"

.include "lib/guest.inc"

.equ SYS_mprotect, 10
.equ SYS_rt_sigaction, 13
.equ SYS_rt_sigreturn, 15
.equ SIGTRAP, 5
.equ SA_SIGINFO_RESTORER, 0x04000004
# In a ucontext, from signal frames: gregs start at 40.
.equ FRAME_RAX, 144
.equ FRAME_RIP, 168

.globl _start
_start:
    mov $SIGTRAP, %edi
    lea action(%rip), %rsi
    xor %edx, %edx
    mov $8, %r10d
    mov $SYS_rt_sigaction, %ecx
    mov %ecx, %eax
    syscall
    expect_equal 1, $0, %rax
    # Code may be written to only after this: the page of the site, 4096 bytes, read, write and execute.
    lea site(%rip), %rdi
    and $-4096, %rdi
    mov $4096, %esi
    mov $7, %edx
    mov $SYS_mprotect, %ecx
    mov %ecx, %eax
    syscall
    expect_equal 2, $0, %rax
    movb $0xcc, site+5(%rip)
    mov $3, %ebx
    xor %r12d, %r12d
again:
    call site
    test %r12d, %r12d
    cmovz %eax, %r12d
    expect_equal 3, %r12d, %eax
    dec %ebx
    jnz again
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    expect_equal 4, %r12d, %eax
    mov hits(%rip), %ecx
    expect_equal 5, $3, %ecx
    finish 0

handler:
    incl hits(%rip)
    mov %rdx, %rbx
    mov FRAME_RAX(%rbx), %rax
    syscall
    mov %rax, FRAME_RAX(%rbx)
    incq FRAME_RIP(%rbx)
    ret
restorer:
    mov $SYS_rt_sigreturn, %ecx
    mov %ecx, %eax
    syscall

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret

    .data
action: .quad handler, SA_SIGINFO_RESTORER, restorer, 0
hits:   .long 0
