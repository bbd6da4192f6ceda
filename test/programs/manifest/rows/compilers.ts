// SPDX-License-Identifier: MIT
//
// Compilers, assemblers, linkers and make; what they made is run as well.

import type { Row } from '../row.ts';
import { bash, shell } from '../row.ts';

export const COMPILERS: readonly Row[] = [
  {
    name: 'gcc: compiles a program and runs it',
    groups: ['compilers', 'glibc', 'processes'],
    command: shell(
      'echo "#include <stdio.h>\nint main(int n, char **v) { printf(\\"%s from a new program\\\\n\\", v[1]); return 3; }" > a.c; gcc -o a a.c && ./a hello',
    ),
  },
  { name: 'gcc: each stage by itself', groups: ['compilers', 'processes'], command: bash('gcc-stages.sh') },
  {
    name: 'make: three files, an archive, a shared library',
    groups: ['compilers', 'processes', 'files'],
    command: bash('make-calc.sh'),
  },
  {
    name: 'as and ld: programs without a library',
    groups: ['compilers', 'processes', 'static'],
    command: bash('binutils.sh'),
  },
  {
    name: 'gcc: plugins by dlopen, preloading, rpath',
    groups: ['compilers', 'processes', 'threads'],
    command: bash('plugins.sh'),
  },
  {
    name: 'bison and flex: a calculator',
    groups: ['compilers', 'processes'],
    command: bash('parser.sh'),
    needs: ['bison', 'flex', 'm4'],
  },
  {
    name: 'musl-gcc: static and dynamic programs',
    groups: ['compilers', 'musl', 'processes'],
    command: shell(
      'cp $SCRIPTS/calc/*.[ch] .; musl-gcc -O1 -static main.c parse.c names.c -o s -lm && ./s < $SCRIPTS/calc/lines.txt; echo $?; musl-gcc -O1 main.c parse.c names.c -o d -lm && ./d < $SCRIPTS/calc/lines.txt; echo $?; readelf -d d | grep -c NEEDED; readelf -d s | head -n 1 | grep -o "no dynamic"',
    ),
    needs: ['musl-gcc'],
  },
  {
    name: 'gcc -O3: a program of three files in one go, and with link-time optimisation',
    groups: ['compilers', 'processes'],
    command: shell(
      'cp $SCRIPTS/calc/*.[ch] .; gcc -O3 main.c parse.c names.c -o a -lm && ./a < $SCRIPTS/calc/lines.txt; gcc -O1 -flto main.c parse.c names.c -o b -lm && ./b < $SCRIPTS/calc/lines.txt | tail -n 1',
    ),
  },
  {
    name: 'g++: templates and exceptions',
    groups: ['compilers', 'processes'],
    command: shell(
      'printf "%s\\n" "#include <cstdio>" "#include <stdexcept>" "template <int N> struct F { enum { v = N * F<N - 1>::v }; };" "template <> struct F<0> { enum { v = 1 }; };" "struct A { virtual int f() { return 1; } virtual ~A() {} }; struct B : A { int f() override { return 2; } };" "int main() { A *a = new B; try { throw std::runtime_error(\\"thrown\\"); } catch (const std::exception &e) { std::printf(\\"%s %d %d\\\\n\\", e.what(), (int)F<10>::v, a->f()); } delete a; return 4; }" > a.cc; g++ -O1 -o a a.cc && ./a',
    ),
  },
  {
    name: 'make: recursion, variables, functions, errors',
    groups: ['compilers', 'processes', 'interpreters'],
    command: ['/usr/bin/make', '-s', '-j2', '-k', '-f', '$SCRIPTS/functions.mk', 'all', 'fails'],
  },
  {
    name: 'cpp and gcc -M: dependencies and macros',
    groups: ['compilers', 'processes'],
    command: shell(
      'cp $SCRIPTS/calc/*.[ch] .; gcc -MM *.c; echo "#define CAT(a, b) a##b\n#define STR(x) #x\nCAT(x, 1) STR(a b) __LINE__ __FILE__\n#if 3 * 4 > 11 && defined CAT\nyes\n#endif" > m.c; cpp -P m.c; gcc -dM -E - < /dev/null | grep -E "__(SIZEOF_LONG|x86_64|BYTE_ORDER)__ "; gcc -dumpmachine; gcc -print-prog-name=as | sed "s#.*/##"',
    ),
  },
];
