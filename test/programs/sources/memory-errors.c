// SPDX-License-Identifier: MIT
//
// Memory: mmap(2), mprotect(2), mremap(2), msync(2), mincore(2), madvise(2), mlock(2), brk(2), pkeys(7) and the calls
// for memory nodes, with the errors of their pages; statx(2), getdents(2), name_to_handle_at(2) and set_tid_address(2)
// beside them. What needs a second node or keys of the processor is left out.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#ifndef STATX_TYPE
#include <linux/stat.h>
#endif

#define S(n, ...) syscall(SYS_##n, __VA_ARGS__)
#define NO_MEMORY ((void *)8)
#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define HIGH ((void *)0x7ffffffff000)

static int file;
static char *area(long pages, int prot) { return mmap(0, pages * PAGE, prot, ANON, -1, 0); }

static void mapping(void) {
  CALL(mmap(0, 0, PROT_READ, ANON, -1, 0));
  CALL(mmap(0, -1, PROT_READ, ANON, -1, 0));
  CALL(mmap(0, 1ul << 47, PROT_READ, ANON, -1, 0));
  CALL(S(mmap, 0, PAGE, PROT_READ, ANON, -1, 1));
  CALL(mmap(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
  CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
  CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
  CALL(mmap((void *)1, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
  CALL(mmap((void *)-PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
  CALL(mmap(HIGH, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
  OK(mmap(HIGH, PAGE, PROT_READ, ANON, -1, 0));
  NOBODY(CALL(mmap(0, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0)));
  char *p = area(1, PROT_READ);
  CALL(mmap(p, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0));
  OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
  CALL(mmap(0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0));
  CALL(mmap(0, PAGE, PROT_READ, MAP_SHARED, file, -PAGE));
  CALL(mmap(0, PAGE, PROT_READ, ANON | MAP_GROWSDOWN | MAP_SHARED, -1, 0));
  int p2[2], d = open("/", O_RDONLY), path = open("/", O_PATH), w = open("/proc/self/fd/3", O_WRONLY);
  pipe(p2);
  CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, p2[0], 0));
  CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, d, 0));
  CALL(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, path, 0));
  int r = memfd_create("m", 0), only = open("/proc/self/exe", O_RDONLY);
  CALL(mmap(0, PAGE, PROT_WRITE, MAP_SHARED, only, 0));
  OK(mmap(0, PAGE, PROT_WRITE, MAP_PRIVATE, only, 0));
  fcntl(r, F_ADD_SEALS, 8);
  (void)w;
  CALL(munmap(p + 1, PAGE));
  CALL(munmap(p, 0));
  CALL(munmap(p, -1));
  CALL(munmap(HIGH, PAGE));
  CALL(munmap((void *)-PAGE, PAGE));
  CALL(munmap(p, PAGE));
  CALL(munmap(p, PAGE));
  // Beyond the end of a file.
  p = mmap(0, 4 * PAGE, PROT_READ, MAP_SHARED, file, 0);
  CHILD(volatile char c = p[3 * PAGE]);
  CHILD(volatile char c = *(volatile char *)8);
}

static void protection(void) {
  char *p = area(4, PROT_READ);
  CALL(mprotect(p + 1, PAGE, PROT_READ));
  CALL(mprotect(p, 0, PROT_READ));
  CALL(mprotect(p, -1, PROT_READ));
  CALL(mprotect(p, PAGE, 0x10));
  CALL(mprotect(p, PAGE, 0x40000));
  CALL(mprotect(p, PAGE, PROT_GROWSDOWN | PROT_GROWSUP));
  CALL(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN));
  CALL(mprotect(HIGH, PAGE, PROT_READ));
  munmap(p + PAGE, PAGE);
  CALL(mprotect(p, 3 * PAGE, PROT_NONE));
  // What came before the hole has changed.
  CHILD(volatile char c = p[0]);
  CHILD(volatile char c = p[2 * PAGE]);
  int only = open("/proc/self/exe", O_RDONLY);
  p = mmap(0, PAGE, PROT_READ, MAP_SHARED, only, 0);
  CALL(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
  CALL(S(pkey_mprotect, p, PAGE, PROT_READ, 99));
  CALL(S(pkey_mprotect, p, PAGE, PROT_READ, -1));
  CALL(S(pkey_alloc, 1, 0));
  CALL(S(pkey_alloc, 0, 4));
  CALL(S(pkey_free, 99));
  CALL(S(pkey_free, -1));
}

static void moving(void) {
  char *p = area(8, PROT_READ | PROT_WRITE), *q = area(8, PROT_READ);
  CALL(S(mremap, p + 1, PAGE, PAGE, 0, 0));
  CALL(S(mremap, p, PAGE, 0, 0, 0));
  CALL(S(mremap, p, PAGE, PAGE, 8, 0));
  CALL(S(mremap, p, PAGE, PAGE, MREMAP_FIXED, q));
  CALL(S(mremap, p, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, q + 1));
  CALL(S(mremap, p, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + PAGE));
  CALL(S(mremap, p, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, HIGH));
  CALL(S(mremap, p, 0, PAGE, MREMAP_MAYMOVE, 0));
  CALL(S(mremap, p, 0, PAGE, 0, 0));
  CALL(S(mremap, p, PAGE, 1ul << 48, MREMAP_MAYMOVE, 0));
  CALL(S(mremap, p, PAGE, -PAGE, MREMAP_MAYMOVE, 0));
  CALL(S(mremap, p, PAGE, 2 * PAGE, 0, 0));
  CALL(S(mremap, p, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE, 0) == -1 ? -1 : 0);
  CALL(S(mremap, p, PAGE, PAGE, MREMAP_DONTUNMAP, 0));
  CALL(S(mremap, p, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0));
  munmap(q, 8 * PAGE);
  CALL(S(mremap, q, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0));
  CALL(S(mremap, HIGH, PAGE, PAGE, 0, 0));
  CALL(S(remap_file_pages, p, PAGE, 0, 0, 0));
  CALL(S(remap_file_pages, p, PAGE, PROT_READ, 0, 0));
  CALL(S(remap_file_pages, q, PAGE, 0, 0, 0));
  void *now = (void *)S(brk, 0);
  SHOW((void *)S(brk, 1) == now);
  SHOW((void *)S(brk, (char *)now + (1ul << 46)) == now);
  SHOW((void *)S(brk, (char *)now + PAGE) == (char *)now + PAGE);
  SHOW((void *)S(brk, now) == now);
}

static void advice(void) {
  char *p = area(4, PROT_READ | PROT_WRITE);
  unsigned char in[4] = {9, 9, 9, 9};
  for (int a = -1; a < 24; a++) {
    // 12 .. 15 depend on how the kernel was built.
    if (a >= 12 && a <= 15) continue;
    long r = S(madvise, p, PAGE, a);
    printf("advice %d: %ld %d\n", a, r, r ? errno : 0);
  }
  CALL(S(madvise, p + 1, PAGE, MADV_NORMAL));
  CALL(S(madvise, p, -1, MADV_NORMAL));
  CALL(S(madvise, p, 0, MADV_NORMAL));
  CALL(S(madvise, p, 0, 77));
  CALL(S(madvise, p + 1, 0, MADV_NORMAL));
  CALL(S(madvise, HIGH, PAGE, MADV_NORMAL));
  CALL(S(madvise, p, PAGE, MADV_REMOVE));
  char *f = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, open("/proc/self/exe", O_RDONLY), 0);
  CALL(S(madvise, f, PAGE, MADV_FREE));
  CALL(S(madvise, f, PAGE, MADV_WIPEONFORK));
  p[0] = 1;
  CALL(S(mincore, p, 2 * PAGE, in));
  printf("%d %d\n", in[0] & 1, in[1] & 1);
  CALL(S(mincore, p + 1, PAGE, in));
  CALL(S(mincore, p, -1, in));
  CALL(S(mincore, p, PAGE, NO_MEMORY));
  CALL(S(mincore, p, 0, NO_MEMORY));
  CALL(S(mlock, p, PAGE));
  CALL(S(madvise, p, PAGE, MADV_DONTNEED));
  CALL(S(madvise, p, PAGE, MADV_FREE));
  CALL(S(munlock, p, PAGE));
  munmap(p + PAGE, PAGE);
  CALL(S(madvise, p, 3 * PAGE, MADV_DONTNEED));
  SHOW(p[0]);
  CALL(S(mincore, p, 3 * PAGE, in));
  CALL(S(msync, p, PAGE, MS_SYNC));
  CALL(S(msync, p + 1, PAGE, MS_SYNC));
  CALL(S(msync, p, PAGE, MS_SYNC | MS_ASYNC));
  CALL(S(msync, p, PAGE, 8));
  CALL(S(msync, p, -1, MS_SYNC));
  CALL(S(msync, p, 0, MS_SYNC));
  CALL(S(msync, p, 3 * PAGE, MS_SYNC));
  CALL(S(mlock, p, PAGE));
  CALL(S(msync, p, PAGE, MS_INVALIDATE));
  CALL(S(mlock, p, 3 * PAGE));
  CALL(S(munlock, p, 3 * PAGE));
  CALL(S(munlock, p, -PAGE));
  CALL(S(mlock, p, 0));
  CALL(S(mlock2, p, PAGE, 0));
  CALL(S(mlock2, p, PAGE, 8));
  CALL(S(mlock2, p, PAGE, 1));
  CALL(S(mlockall, 0));
  CALL(S(mlockall, 8));
  CALL(S(mlockall, MCL_ONFAULT));
  CALL(S(munlockall, 0));
}

static void nodes(void) {
  unsigned long mask[1024] = {1};
  int mode = 9;
  char *p = area(2, PROT_READ | PROT_WRITE);
  CALL(S(get_mempolicy, &mode, mask, 8192, 0, 0));
  printf("mode %d mask %lx\n", mode, mask[0]);
  CALL(S(get_mempolicy, &mode, mask, 8192, p, 0));
  CALL(S(get_mempolicy, &mode, mask, 8192, 0, 8));
  CALL(S(get_mempolicy, &mode, 0, 0, p, MPOL_F_MEMS_ALLOWED));
  CALL(S(get_mempolicy, 0, mask, 8192, p, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR));
  CALL(S(get_mempolicy, &mode, 0, 0, NO_MEMORY, MPOL_F_ADDR));
  CALL(S(get_mempolicy, NO_MEMORY, 0, 0, 0, 0));
  CALL(S(get_mempolicy, 0, 0, 0, 0, 0));
}

// Where memory comes from; node 0 is there on every machine. Modes beyond 5 came after Linux 6.1.
static void policies(void) {
  unsigned long none[2] = {0}, first[64] = {1}, others[2] = {1ul << 63}, mask[128] = {0};
  int mode;
  char *p = area(4, PROT_READ | PROT_WRITE), *hole = area(4, PROT_READ | PROT_WRITE);
  munmap(hole + PAGE, PAGE);
  for (int m = -1; m < 6; m++) {
    printf("mode %d\n", m);
    CALL(S(mbind, p, PAGE, m, 0, 0, 0));
    CALL(S(mbind, p, PAGE, m, none, 64, 0));
    CALL(S(mbind, p, PAGE, m, first, 64, 0));
    CALL(S(mbind, p, PAGE, m, others, 65, 0));
    CALL(S(set_mempolicy, m, others, 65));
    CALL(S(set_mempolicy, m, 0, 0));
    CALL(S(set_mempolicy, m, none, 64));
    CALL(S(set_mempolicy, m, first, 64));
    CALL(S(get_mempolicy, &mode, mask, 8192, 0, 0));
    printf("%d %lx\n", mode, mask[0]);
    for (int flag = 0x4000; flag < 0x20000; flag <<= 1) CALL(S(set_mempolicy, m | flag, first, 64));
    CALL(S(set_mempolicy, m | 0xc000, first, 64));
    CALL(S(get_mempolicy, &mode, mask, 8192, 0, 0));
    printf("%#x %lx\n", mode, mask[0]);
    CALL(S(set_mempolicy, m | 0x4000, others, 65));
    CALL(S(get_mempolicy, &mode, mask, 8192, 0, 0));
    printf("%#x %lx\n", mode, mask[0]);
    CALL(S(get_mempolicy, &mode, 0, 0, 0, MPOL_F_NODE));
    SHOW(S(set_mempolicy, 0, 0, 0));
  }
  CALL(S(set_mempolicy, 3 | 0x2000, first, 64));
  CALL(S(set_mempolicy, 77, NO_MEMORY, 64));
  CALL(S(set_mempolicy, 2, NO_MEMORY, 64));
  CALL(S(set_mempolicy, 2, NO_MEMORY, 0));
  CALL(S(set_mempolicy, 2, NO_MEMORY, 1));
  CALL(S(set_mempolicy, 2, first, 1));
  CALL(S(set_mempolicy, 2, first, 2));
  CALL(S(set_mempolicy, 2, first, 4096));
  CALL(S(set_mempolicy, 2, first, 32770));
  CALL(S(set_mempolicy, 2, first, -1l));
  CHILD(S(get_mempolicy, &mode, 0, 0, 0, 0); SHOW(mode));
  first[40] = 1;
  CALL(S(set_mempolicy, 2, first, 4096));
  first[40] = 0;
  CALL(S(set_mempolicy, 0, 0, 0));
  CALL(S(mbind, p + 1, PAGE, 2, first, 64, 0));
  CALL(S(mbind, p, PAGE + 1, 2, first, 64, 0));
  CALL(S(mbind, p, 0, 2, first, 64, 0));
  CALL(S(mbind, p, 0, 2, 0, 0, 0));
  CALL(S(mbind, p, -1l, 2, first, 64, 0));
  CALL(S(mbind, p, -PAGE, 2, first, 64, 0));
  CALL(S(mbind, hole, 4 * PAGE, 2, first, 64, 0));
  CALL(S(mbind, hole, 4 * PAGE, 0, 0, 0, 0));
  CALL(S(mbind, hole + PAGE, PAGE, 2, first, 64, 0));
  CALL(S(mbind, hole + PAGE, PAGE, 0, 0, 0, 0));
  CALL(S(mbind, 0, PAGE, 2, first, 64, 0));
  CALL(S(mbind, p, PAGE, 2, NO_MEMORY, 64, 0));
  CALL(S(mbind, p + 1, PAGE, 2, NO_MEMORY, 64, 0));
  CALL(S(mbind, p, PAGE, 99, NO_MEMORY, 64, 0));
  CALL(S(mbind, p, PAGE, 2, first, 64, 3));
  CALL(S(mbind, p, PAGE, 2, first, 64, 8));
  CALL(S(mbind, p, PAGE, 2, first, 64, 4));
  NOBODY(CALL(S(mbind, p, PAGE, 2, first, 64, 4)); CALL(S(mbind, p, PAGE, 2, first, 64, 2)));
}

static void others(void) {
  struct statx x;
  CALL(S(statx, AT_FDCWD, "/", 0, STATX_BASIC_STATS, &x));
  printf("mask %x directory %d\n", x.stx_mask & STATX_BASIC_STATS, S_ISDIR(x.stx_mode));
  CALL(S(statx, AT_FDCWD, "/none", 0, STATX_BASIC_STATS, &x));
  CALL(S(statx, AT_FDCWD, "", 0, STATX_BASIC_STATS, &x));
  CALL(S(statx, file, "", AT_EMPTY_PATH, STATX_SIZE, &x));
  SHOW(x.stx_size);
  CALL(S(statx, 99, "", AT_EMPTY_PATH, STATX_SIZE, &x));
  CALL(S(statx, 99, "x", 0, STATX_SIZE, &x));
  CALL(S(statx, file, "x", 0, STATX_SIZE, &x));
  CALL(S(statx, AT_FDCWD, NO_MEMORY, 0, STATX_SIZE, &x));
  CALL(S(statx, AT_FDCWD, "/", 0, STATX_SIZE, NO_MEMORY));
  CALL(S(statx, AT_FDCWD, "/", 1, STATX_SIZE, &x));
  CALL(S(statx, AT_FDCWD, "/", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &x));
  CALL(S(statx, AT_FDCWD, "/", 0, 0x80000000u, &x));
  CALL(S(statx, AT_FDCWD, "/proc/self/exe", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x));
  SHOW(S_ISLNK(x.stx_mode));
  char entries[512], name[300];
  int d = open("/proc/self/task", O_RDONLY), gone = open("/proc/self/task", O_RDONLY | O_PATH);
  CALL(S(getdents, -1, entries, 512));
  CALL(S(getdents, file, entries, 512));
  CALL(S(getdents, gone, entries, 512));
  CALL(S(getdents, d, entries, 8));
  CALL(S(getdents, d, NO_MEMORY, 512));
  SHOW(S(getdents, d, entries, 512) > 0);
  CALL(S(getdents, d, entries, 512));
  CALL(S(getdents64, -1, entries, 512));
  CALL(S(getdents64, file, entries, 512));
  lseek(d, 0, SEEK_SET);
  CALL(S(getdents64, d, entries, 8));
  CALL(S(getdents64, d, NO_MEMORY, 512));
  struct file_handle *h = (void *)name;
  int mount;
  h->handle_bytes = 128;
  CALL(S(name_to_handle_at, AT_FDCWD, "/proc/self", h, &mount, 0));
  CALL(S(name_to_handle_at, AT_FDCWD, "/none", h, &mount, 0));
  CALL(S(name_to_handle_at, AT_FDCWD, "/", h, &mount, 0x8000));
  CALL(S(name_to_handle_at, 99, "x", h, &mount, 0));
  CALL(S(name_to_handle_at, AT_FDCWD, "/proc", NO_MEMORY, &mount, 0));
  CALL(S(name_to_handle_at, AT_FDCWD, NO_MEMORY, h, &mount, 0));
  SHOW(S(set_tid_address, 0) == getpid());
  CALL(S(restart_syscall, 0));
}

int main(void) {
  char name[] = "/tmp/memory-XXXXXX";
  file = mkstemp(name);
  unlink(name);
  ftruncate(file, 2 * PAGE);
  CHILD(mapping());
  CHILD(protection());
  CHILD(moving());
  CHILD(advice());
  CHILD(nodes());
  CHILD(policies());
  CHILD(others());
  return 0;
}
