// SPDX-License-Identifier: MIT
//
// arch_prctl(2): the base of GS, which a program may set as it likes.

#define _GNU_SOURCE
#include "outcome.h"
#include <sys/syscall.h>

#define SET_GS 0x1001
#define GET_GS 0x1004
#define NO_MEMORY 8ul

static void show(void) {
  unsigned long base = 9;
  CALL(syscall(SYS_arch_prctl, GET_GS, &base));
  SHOW(base);
}

int main(void) {
  show();
  CALL(syscall(SYS_arch_prctl, GET_GS, NO_MEMORY));
  CALL(syscall(SYS_arch_prctl, SET_GS, -1ul));
  CALL(syscall(SYS_arch_prctl, SET_GS, 0x800000000000ul));
  CALL(syscall(SYS_arch_prctl, SET_GS, 0x123456789000ul));
  show();
  CHILD(show());
  CALL(syscall(SYS_arch_prctl, SET_GS, 0));
  show();
  return 0;
}
