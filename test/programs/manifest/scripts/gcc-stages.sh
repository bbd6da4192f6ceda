#!/bin/bash
# SPDX-License-Identifier: MIT
#
# gcc stage by stage: preprocessor, compiler, assembler, linker; warnings and errors; what the program then does.

set -e
cat > stages.c <<'C'
#include <stdio.h>
#define SQUARE(x) ((x) * (x))
#ifdef LOUD
#define SAY "LOUD"
#else
#define SAY "quiet"
#endif
static int collatz(unsigned n) {
  int steps = 0;
  while (n != 1) {
    n = n % 2 ? 3 * n + 1 : n / 2;
    steps++;
  }
  return steps;
}
int main(int argc, char **argv) {
  int best = 0, at = 0;
  for (unsigned n = 1; n < 20000; n++) {
    int steps = collatz(n);
    if (steps > best) best = steps, at = (int)n;
  }
  printf("%s %d %d %d %s\n", SAY, SQUARE(7), at, best, argc > 1 ? argv[1] : "none");
  return argc;
}
C
gcc -E -P stages.c | tail -n 4
gcc -E -P -DLOUD stages.c | grep -c '"LOUD"'
gcc -S -O1 -fno-asynchronous-unwind-tables stages.c -o stages.s
grep -c 'main' stages.s
as stages.s -o stages.o
nm stages.o
for level in 0 2; do
  gcc -O$level stages.o -o from-object
  gcc -O$level stages.c -o "with-O$level"
  "./with-O$level" argument || echo "status $?"
done
./from-object || echo "status $?"
gcc -static -DLOUD -O1 stages.c -o static-one
./static-one || echo "status $?"
readelf -h with-O2 | grep -E 'Class|Type|Machine'
strip static-one
./static-one x y || echo "status $?"
nm static-one 2>&1 || true
echo 'int main(void) { int x; return "text"; }' > warn.c
gcc -Wall -c warn.c 2>&1 | grep -E 'warning|error'
echo 'int f(void); int main(void) { return f(); }' > missing.c
gcc missing.c -o missing 2>&1 | grep -o "undefined reference to .*" || echo "status ${PIPESTATUS[0]}"
gcc no-such-file.c 2>&1 | head -n 1
echo '#include <nothing.h>' | gcc -x c -fsyntax-only - 2>&1 | head -n 1
echo 'int main(void) { return 5; }' | gcc -x c - -o from-stdin
./from-stdin || echo "status $?"
