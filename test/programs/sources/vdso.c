// SPDX-License-Identifier: MIT
//
// The vDSO as a program finds it: by the auxiliary vector and by dlsym, each function against the call that it stands
// for, and what a debugger or unwinder would need.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef int (*clock_function)(clockid_t, struct timespec *);

static char *image;
static const Elf64_Sym *symbols;
static const char *strings;
static const Elf64_Word *hash_table;

static void *lookup(const char *name) {
  for (Elf64_Word i = 1; i < hash_table[1]; i++)
    if (strcmp(strings + symbols[i].st_name, name) == 0) return image + symbols[i].st_value;
  return NULL;
}

static void open_image(void) {
  image = (char *)getauxval(AT_SYSINFO_EHDR);
  printf("an image: %d\n", image != NULL && memcmp(image, ELFMAG, SELFMAG) == 0);
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
  const Elf64_Phdr *segment = (const Elf64_Phdr *)(image + header->e_phoff);
  int has_frames = 0;
  int has_note = 0;
  for (int i = 0; i < header->e_phnum; i++, segment++) {
    if (segment->p_type == PT_GNU_EH_FRAME) has_frames = 1;
    if (segment->p_type == PT_NOTE) has_note = 1;
    if (segment->p_type != PT_DYNAMIC) continue;
    for (const Elf64_Dyn *d = (const Elf64_Dyn *)(image + segment->p_vaddr); d->d_tag != DT_NULL; d++) {
      char *at = image + d->d_un.d_ptr;
      // An unrelocated image holds offsets.
      if (d->d_un.d_ptr > (Elf64_Addr)image) at = (char *)d->d_un.d_ptr;
      if (d->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym *)at;
      if (d->d_tag == DT_STRTAB) strings = at;
      if (d->d_tag == DT_HASH) hash_table = (const Elf64_Word *)at;
    }
  }
  printf("frames %d, a note %d, tables %d\n", has_frames, has_note, symbols && strings);
}

static long long ns(const struct timespec *t) { return t->tv_sec * 1000000000LL + t->tv_nsec; }

static void check_clock(clock_function gettime, clock_function getres, clockid_t id) {
  struct timespec before, here, after;
  // Coarse clocks stand still for milliseconds: they are compared with themselves.
  syscall(SYS_clock_gettime, id, &before);
  int result = gettime(id, &here);
  syscall(SYS_clock_gettime, id, &after);
  printf("clock %d: %d, %s, ", id, result, ns(&before) <= ns(&here) && ns(&here) <= ns(&after) ? "in order" : "WRONG");
  struct timespec ours, theirs;
  result = getres(id, &ours);
  syscall(SYS_clock_getres, id, &theirs);
  printf("resolution: %d, %s\n", result, ns(&ours) == ns(&theirs) ? "the same" : "ANOTHER");
}

static void check_clocks(void) {
  clock_function gettime = (clock_function)lookup("__vdso_clock_gettime");
  clock_function getres = (clock_function)lookup("__vdso_clock_getres");
  clockid_t ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                     CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
  for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) check_clock(gettime, getres, ids[i]);
  struct timespec t;
  printf("no such clock: %d %d %d %d\n", gettime(99, &t), gettime(-1, &t), getres(99, &t), getres(12, NULL));
  printf("no pointer: %d\n", getres(CLOCK_MONOTONIC, NULL));
  usleep(20000);
  check_clock(gettime, getres, CLOCK_MONOTONIC);
  long long last = 0;
  int steps = 0;
  for (int i = 0; i < 1000; i++) {
    struct timespec now;
    if (i % 2 == 0) gettime(CLOCK_MONOTONIC, &now);
    else syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    if (ns(&now) >= last) steps++;
    last = ns(&now);
  }
  printf("%d steps forward\n", steps);
}

static void check_others(void) {
  int (*timeofday)(struct timeval *, struct timezone *) = (int (*)(struct timeval *, struct timezone *))lookup("__vdso_gettimeofday");
  struct timespec before, after;
  struct timeval tv;
  struct timezone tz;
  memset(&tz, 0x55, sizeof tz);
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &before);
  printf("gettimeofday: %d", timeofday(&tv, &tz));
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &after);
  long long us = tv.tv_sec * 1000000LL + tv.tv_usec;
  printf(", %s", ns(&before) / 1000 <= us && us <= ns(&after) / 1000 ? "in order" : "WRONG");
  printf(", %d %d, %d %d\n", tz.tz_minuteswest, tz.tz_dsttime, timeofday(NULL, NULL), timeofday(NULL, &tz));

  time_t (*seconds)(time_t *) = (time_t(*)(time_t *))lookup("__vdso_time");
  time_t stored = 0;
  time_t told = seconds(&stored);
  printf("time: %d %d %d\n", told == stored, told - before.tv_sec <= 1, seconds(NULL) - told <= 1);

  long (*getcpu)(unsigned *, unsigned *, void *) = (long (*)(unsigned *, unsigned *, void *))lookup("__vdso_getcpu");
  unsigned cpu = 12345, node = 12345;
  printf("getcpu: %ld", getcpu(&cpu, &node, NULL));
  printf(" %d %d %ld\n", cpu < 12345, node < 12345, getcpu(NULL, NULL, NULL));
}

static void check_names(void) {
  const char *names[] = {"clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"};
  void *handle = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
  for (unsigned i = 0; i < 5; i++) {
    char full[64];
    snprintf(full, sizeof full, "__vdso_%s", names[i]);
    void *address = lookup(full);
    printf("%s: %d %d", names[i], address != NULL, lookup(names[i]) == address);
#ifdef __GLIBC__
    printf(" %d %d", dlsym(handle, full) == address, dlvsym(handle, names[i], "LINUX_2.6") == address);
#endif
    printf("\n");
  }
}

static void check_mappings(void) {
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long start, end, inode;
    char access[8], device[16], offset[16], name[64] = "";
    sscanf(line, "%lx-%lx %7s %15s %15s %lu %63s", &start, &end, access, offset, device, &inode, name);
    if (strcmp(name, "[vdso]") == 0) printf("%s %s %s %lu %d\n", name, access, device, inode, start == (unsigned long)image);
    if (strcmp(name, "[vvar]") == 0) printf("%s %s %s\n", name, access, device);
  }
  fclose(maps);
}

int main(void) {
  open_image();
  check_names();
  check_clocks();
  check_others();
  check_mappings();
  fflush(stdout);
  // A child has it at the same place.
  if (fork() == 0) {
    struct timespec t;
    printf("in a child: %d\n", ((clock_function)lookup("clock_gettime"))(CLOCK_MONOTONIC, &t));
    return 0;
  }
  wait(NULL);
  return 0;
}
