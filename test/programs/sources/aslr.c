// SPDX-License-Identifier: MIT
//
// Prints where the parts of a program lie. With an argument it first turns random addresses off and starts afresh.
#define _GNU_SOURCE
#include <elf.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc > 1) {
    char *again[] = {argv[0], NULL};
    personality(ADDR_NO_RANDOMIZE);
    execv(argv[0], again);
  }
  printf("program %p\n", (void *)main);
  printf("heap %p\n", sbrk(0));
  printf("library %p\n", (void *)printf);
  printf("mmap %p\n", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  printf("vdso %p\n", (void *)getauxval(AT_SYSINFO_EHDR));
  printf("stack %p\n", (void *)argv);
  FILE *setting = fopen("/proc/sys/kernel/randomize_va_space", "r");
  printf("setting %d\n", fgetc(setting) - '0');
  return 0;
}
