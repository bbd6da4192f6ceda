#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Shared objects made here and opened at run time; constructors, weak symbols, thread-local data, LD_PRELOAD, rpath.

set -e
for n in 1 2; do
  cat > plugin$n.c <<C
#include <stdio.h>
static __thread int calls;
static int table[3] = {$n, $((n * 10)), $((n * 100))};
__attribute__((constructor)) static void begin(void) { puts("plugin $n begins"); }
__attribute__((destructor)) static void end(void) { puts("plugin $n ends"); }
int run(int x) { return table[x % 3] + ++calls; }
extern int host_value(void);
int ask(void) { return host_value() * $n; }
C
  gcc -O1 -shared -fPIC plugin$n.c -o plugin$n.so
done
cat > host.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
int host_value(void) { return 21; }
static int (*run)(int);
static void *in_thread(void *x) { return (void *)(long)run((int)(long)x); }
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (int n = 1; n <= 2; n++) {
    char path[32];
    snprintf(path, sizeof path, "./plugin%d.so", n);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return puts(dlerror()), 1;
    run = (int (*)(int))dlsym(handle, "run");
    int (*ask)(void) = (int (*)(void))dlsym(handle, "ask");
    printf("%d %d %d; ", run(0), run(1), run(2));
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, in_thread, (void *)1L);
    pthread_join(thread, &result);
    printf("in a thread %ld; asks %d; ", (long)result, ask());
    printf("nothing: %d\n", dlsym(handle, "nothing") == NULL);
    Dl_info info;
    dladdr((void *)run, &info);
    printf("%s in %s\n", info.dli_sname, info.dli_fname);
    dlclose(handle);
  }
  printf("missing: %s\n", dlopen("./none.so", RTLD_NOW) ? "?" : dlerror());
  double (*cosine)(double) = (double (*)(double))dlsym(dlopen("libm.so.6", RTLD_LAZY), "cos");
  printf("%.6f\n", cosine(0.5));
}
C
gcc -O1 -rdynamic host.c -o host -pthread
./host
cat > replace.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int puts(const char *text) {
  int (*next)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "puts");
  char loud[64] = "replaced: ";
  return next(strncat(loud, text, 40));
}
C
gcc -O1 -shared -fPIC replace.c -o replace.so
LD_PRELOAD=$PWD/replace.so ./host | head -n 2
LD_PRELOAD=./none.so /bin/true 2>&1 | sed 's/from LD_PRELOAD//' | cut -c 1-60
ldd host | awk '{ print $1 }' | sort
mkdir lib
gcc -shared -fPIC -Wl,-soname,libdeep.so.1 -x c - -o lib/libdeep.so.1 <<< 'int deep(void) { return 77; }'
ln -s libdeep.so.1 lib/libdeep.so
gcc -x c - -o user -Llib -ldeep -Wl,-rpath,"$PWD/lib" <<< 'int deep(void); int main(void) { return deep(); }'
./user || echo "status $?"
rm lib/libdeep.so.1
./user 2>&1 | cut -d: -f2- || true
LD_BIND_NOW=1 ./host | tail -n 1
