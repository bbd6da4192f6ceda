#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A calculator by flex and bison, compiled and run.

set -e
cat > calc.l <<'L'
%option noyywrap nounput noinput
%{
#include "calc.tab.h"
%}
%%
[0-9]+(\.[0-9]+)?  { yylval = strtod(yytext, NULL); return NUMBER; }
[ \t]+             ;
\n                 return '\n';
.                  return yytext[0];
%%
L
cat > calc.y <<'Y'
%{
#include <math.h>
#include <stdio.h>
int yylex(void);
static int errors;
static void yyerror(const char *why) { printf("%s\n", why); errors++; }
%}
%define api.value.type {double}
%token NUMBER
%left '+' '-'
%left '*' '/'
%precedence NEG
%right '^'
%%
input: %empty | input line;
line: '\n' | expression '\n' { printf("%.8g\n", $1); } | error '\n' { yyerrok; };
expression: NUMBER
  | expression '+' expression { $$ = $1 + $3; }
  | expression '-' expression { $$ = $1 - $3; }
  | expression '*' expression { $$ = $1 * $3; }
  | expression '/' expression { $$ = $1 / $3; }
  | '-' expression %prec NEG { $$ = -$2; }
  | expression '^' expression { $$ = pow($1, $3); }
  | '(' expression ')' { $$ = $2; };
%%
int main(void) { yyparse(); return errors; }
Y
bison -d calc.y
flex calc.l
gcc -O1 -include stdlib.h calc.tab.c lex.yy.c -o calc -lm
printf '%s\n' '1 + 2 * 3' '-2 ^ 2 ^ 3' '(1 + 2) * (3 - 4.5) / 7' '1 +' '2 $ 3' '100 / 8' | ./calc || echo "$? errors"
