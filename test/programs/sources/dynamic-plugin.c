// SPDX-License-Identifier: MIT
//
// A library that dynamic.c opens: constructors, data of each thread, calls back into the program.
#include <stdio.h>
#include <stdlib.h>

static __thread int calls = 100;
static __thread char large[20000] = "of a thread";
// Relative relocations.
static const char *words[] = {"zero", "one", "two", "three"};

extern const char *program_name(void);
extern int missing(void) __attribute__((weak));

__attribute__((constructor)) static void opened(int argc, char **argv) { printf("plugin: opened by %s\n", program_name()); }

__attribute__((destructor)) static void closed(void) { printf("plugin: closed\n"); }

#ifdef __GLIBC__
static int three(void) { return 3; }
static int (*choose(void))(void) { return three; }
int chosen(void) __attribute__((ifunc("choose")));
#else
int chosen(void) { return 3; }
#endif

int plugin_count(void) { return ++calls; }
const char *plugin_text(void) { return large; }
const char *plugin_word(int i) { return words[i]; }
int plugin_chosen(void) { return chosen() + (missing == NULL); }
