// SPDX-License-Identifier: MIT
//
// While a call is in the kernel, another thread puts other content where the call came from: data that begins like a
// site. A patcher that looks at one byte again writes over it. The caller comes back to what is there now.

#include "lib/guest.h"

enum { ROUNDS = 40, PAGE = 4096 };

static struct thread swapper;
static u8 *page;
static volatile u32 turn;
static int ends[2];

static void put(u32 number) {
  // mov $number,%eax; syscall; ret
  u8 code[8] = {0xb8, (u8)number, (u8)(number >> 8), 0, 0, 0x0f, 0x05, 0xc3};
  void *there = (void *)syscall(SYS_mmap, page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS | 0x10 /* MAP_FIXED */, -1, 0);
  CHECK(1, there == page);
  for (int i = 0; i < 8; i++) page[i] = code[i];
}

static void swap(u64 argument) {
  (void)argument;
  for (u32 round = 0; round < ROUNDS; round++) {
    while (turn != 2 * round + 1) syscall(SYS_sched_yield);
    // The caller is in read(2) now, or about to be: it cannot come back before the byte is written.
    struct timespec moment = {0, 1000000};
    syscall(SYS_nanosleep, &moment, 0);
    put(500 + round);
    CHECK(2, syscall(SYS_write, ends[1], "x", 1) == 1);
    turn = 2 * round + 2;
  }
}

int guest_main(void) {
  page = (u8 *)syscall(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(3, syscall(SYS_pipe, ends) == 0);
  CHECK(4, spawn(&swapper, swap, 0) > 0);
  for (u32 round = 0; round < ROUNDS; round++) {
    put(SYS_read);
    turn = 2 * round + 1;
    u8 byte = 0;
    i64 result;
    register u8 *code __asm__("rbx") = page;
    __asm__ volatile("call *%1" : "=a"(result) : "r"(code), "D"((i64)ends[0]), "S"(&byte), "d"(1L) : "rcx", "r11", "memory");
    CHECK(5, result == 1 && byte == 'x');
    while (turn != 2 * round + 2) syscall(SYS_sched_yield);
    CHECK(6, page[0] == 0xb8 && page[5] == 0x0f && page[6] == 0x05);
    CHECK(7, page[1] + 256u * page[2] == 500 + round);
  }
  join(&swapper);
  return 0;
}
