// SPDX-License-Identifier: MIT
//
// For guests that look at what a patcher does to their syscall sites: sites made at run time, calls that are never
// patched, the table that a patched site jumps through, and lines of output.

#ifndef SITES_H
#define SITES_H

#include "guest.h"

enum { SYS_open = 2, SYS_getuid = 102 };
enum { MAP_SHARED = 1, MAP_FIXED = 0x10, RWX = PROT_READ | PROT_WRITE | PROT_EXEC };
enum { TABLE_BYTES = 0x5000, TRAP_BYTES = 80, SITE_BYTES = 7 };

/** A call whose site matches no pattern: it uses no slot, and is the same with and without patching. */
__attribute__((noinline)) static i64 quiet6(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  register i64 r10 __asm__("r10") = d;
  register i64 r8 __asm__("r8") = e;
  register i64 r9 __asm__("r9") = f;
  i64 result;
  __asm__ volatile("nop\n\tsyscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#define QUIET0(n) quiet6(n, 0, 0, 0, 0, 0, 0)
#define QUIET1(n, a) quiet6(n, (i64)(a), 0, 0, 0, 0, 0)
#define QUIET2(n, a, b) quiet6(n, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define QUIET3(n, a, b, c) quiet6(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define QUIET4(n, a, b, c, d) quiet6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define QUIET5(n, a, b, c, d, e) quiet6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), 0)
#define QUIET6(n, a, b, c, d, e, f) quiet6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), (i64)(f))
#define quiet(...) SELECT_SYSCALL(__VA_ARGS__, QUIET6, QUIET5, QUIET4, QUIET3, QUIET2, QUIET1, QUIET0)(__VA_ARGS__)

__attribute__((noreturn)) static inline void finish(int status) {
  for (;;) quiet(SYS_exit_group, status);
}

static inline void *map_at(u64 address, u64 length, int protection) {
  return (void *)quiet(SYS_mmap, address, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | (address != 0 ? MAP_FIXED : 0), -1, 0);
}

/** `nop; mov $number,%eax; syscall; ret` at `at - 1`; a function without arguments at `at`. */
static inline void make_site(u8 *at, u32 number) {
  at[-1] = 0x90;
  at[0] = 0xb8;
  for (int i = 0; i < 4; i++) at[1 + i] = (u8)(number >> (8 * i));
  at[5] = 0x0f;
  at[6] = 0x05;
  at[7] = 0xc3;
}

static inline i64 call_site(const u8 *at) {
  i64 result;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(at) : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
  return result;
}

static inline int is_patched(const u8 *at) {
  const volatile u8 *site = at;
  return site[0] == 0xff && site[1] == 0x24 && site[2] == 0x25;
}

static inline u32 slot_of(const u8 *at) {
  u32 slot = 0;
  for (int i = 3; i >= 0; i--) slot = slot << 8 | at[3 + i];
  return slot;
}

/** The table, from one of the first slots: all of them lie in its first page. */
static inline u64 table_of(const u8 *at) { return slot_of(at) & ~0xfffUL; }

static u8 said[200];
static u64 said_bytes;

static inline void say(const char *text) {
  while (*text != 0 && said_bytes < sizeof said) said[said_bytes++] = (u8)*text++;
}

static inline void say_number(u64 value, u32 base) {
  u8 digits[24];
  int n = 0;
  do digits[n++] = (u8)"0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  while (n > 0 && said_bytes < sizeof said) said[said_bytes++] = digits[--n];
}

/** ` name=value` */
static inline void tell(const char *name, u64 value) {
  say(" ");
  say(name);
  say("=");
  if (value > 4096) {
    say("0x");
    say_number(value, 16);
  } else {
    say_number(value, 10);
  }
}

/** Writes what was said as one line. */
static inline void end_line(void) {
  say("\n");
  quiet(SYS_write, 1, said, said_bytes);
  said_bytes = 0;
}

#endif
