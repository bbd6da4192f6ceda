// SPDX-License-Identifier: MIT
//
// What a C library's linker does for a dynamic program: constructors, lazy binding, libraries opened late, data of each
// thread, what the auxiliary vector tells, and a library's text across fork.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

const char *program_name(void) { return "dynamic"; }

static int order = 1;
__attribute__((constructor(101))) static void early(void) { order = order * 10 + 2; }
#ifdef __GLIBC__
__attribute__((constructor)) static void late(int argc, char **argv, char **envp) {
  order = order * 10 + (argv[argc] == NULL && envp == environ ? argc : 9);
}
#endif
__attribute__((destructor)) static void at_end(void) { printf("destructor\n"); }

static int (*count)(void);
static const char *(*text)(void);

static void *thread(void *unused) {
  printf("thread: %d %s\n", count(), text());
  return NULL;
}

static int objects(struct dl_phdr_info *info, size_t size, void *data) {
  (*(int *)data)++;
  return 0;
}

static void check_vector(void) {
  extern char __executable_start;
  Elf64_Ehdr *own = (Elf64_Ehdr *)&__executable_start;
  printf("headers: %d %lu %d\n", (char *)getauxval(AT_PHDR) == (char *)own + own->e_phoff, getauxval(AT_PHENT),
         getauxval(AT_PHNUM) == own->e_phnum);
  printf("entry: %d\n", getauxval(AT_ENTRY) == (unsigned long)own + own->e_entry);
  Elf64_Ehdr *linker = (Elf64_Ehdr *)getauxval(AT_BASE);
  printf("interpreter: %d\n", memcmp(linker->e_ident, ELFMAG, SELFMAG) == 0 && linker->e_type == ET_DYN);
  printf("page %lu, ticks %lu, secure %lu, flags %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK),
         getauxval(AT_SECURE), getauxval(AT_FLAGS));
  printf("platform %s, random %d\n", (char *)getauxval(AT_PLATFORM), getauxval(AT_RANDOM) != 0);
  printf("ids: %d\n", getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() && getauxval(AT_GID) == getgid());
  // What the kernel shows of it.
  unsigned long shown[64];
  FILE *file = fopen("/proc/self/auxv", "r");
  size_t words = fread(shown, 8, 64, file);
  fclose(file);
  int wrong = 0;
  // glibc has a size of its own for signal stacks.
  for (size_t i = 0; i + 1 < words && shown[i] != AT_NULL; i += 2)
    wrong += shown[i] != AT_MINSIGSTKSZ && getauxval(shown[i]) != shown[i + 1];
  printf("/proc/self/auxv: %d wrong, ends with %lu\n", wrong, shown[words - 2]);
}

static void check_plugin(const char *path) {
  void *handle = dlopen(path, RTLD_LAZY);
  if (handle == NULL) {
    printf("dlopen: %s\n", dlerror());
    return;
  }
  count = (int (*)(void))dlsym(handle, "plugin_count");
  text = (const char *(*)(void))dlsym(handle, "plugin_text");
  const char *(*word)(int) = (const char *(*)(int))dlsym(handle, "plugin_word");
  int (*chosen)(void) = (int (*)(void))dlsym(handle, "plugin_chosen");
  printf("plugin: %d %s %s %d\n", count(), text(), word(2), chosen());
  pthread_t id;
  pthread_create(&id, NULL, thread, NULL);
  pthread_join(id, NULL);
  printf("plugin: %d\n", count());
  Dl_info info;
  int found = dladdr((void *)count, &info);
  printf("dladdr: %d %s\n", found, info.dli_sname);
  void *nothing = dlsym(handle, "nothing");
  printf("no such symbol: %d, an error %d\n", nothing != NULL, dlerror() != NULL);
  if (fork() == 0) {
    printf("child: %d %s\n", count(), word(3));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  dlclose(handle);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("constructors: %d\n", order);
  int seen = 0;
  dl_iterate_phdr(objects, &seen);
  printf("objects: %d\n", seen);
  check_vector();
  check_plugin(argv[1]);
  void *nothing = dlopen("/no/such.so", RTLD_NOW);
  printf("no such library: %d, an error %d\n", nothing != NULL, dlerror() != NULL);
  // Through the program's own table: bound at the first call.
  printf("cos %.3f\n", cos(atof("0.5")));
  for (int i = 0; i < 3; i++) {
    pid_t child = fork();
    if (child == 0) _exit(getpid() == getppid() ? 9 : i);
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
  }
  return 0;
}
