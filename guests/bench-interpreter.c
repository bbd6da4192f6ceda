// SPDX-License-Identifier: MIT
//
// Work for the benchmark: an interpreter with computed jumps and calls, short blocks all over.

#include "lib/guest.h"

enum { PUSH, ADD, MULTIPLY, DECREMENT, LOOP, CALL, END };

__attribute__((noinline)) static u64 twist(u64 value) { return value * 2862933555777941757 + 3037000493; }

static u64 interpret(const u8 *program, u64 count) {
  static const void *const handlers[] = {&&push, &&add, &&multiply, &&decrement, &&loop, &&call, &&end};
  u64 stack[8] = {0}, top = 0;
  const u8 *at = program;
#define NEXT goto *handlers[*at++]
  NEXT;
push:
  stack[++top & 7] = *at++;
  NEXT;
add:
  stack[(top - 1) & 7] += stack[top & 7];
  top--;
  NEXT;
multiply:
  stack[(top - 1) & 7] *= stack[top & 7];
  top--;
  NEXT;
decrement:
  count--;
  NEXT;
loop:
  if (count != 0) at = program;
  NEXT;
call:
  stack[top & 7] = twist(stack[top & 7]);
  NEXT;
end:
  return stack[top & 7];
}

int guest_main(void) {
  static const u8 program[] = {PUSH, 3, ADD, PUSH, 5, MULTIPLY, CALL, PUSH, 7, ADD, DECREMENT, LOOP, END};
  CHECK(1, interpret(program, 500000) == 0xbbcfceb0f04176e0);
  return 0;
}
