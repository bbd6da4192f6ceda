// SPDX-License-Identifier: MIT
//
// Recursive descent over one line.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calc.h"

static const char *at, *error;

static double expression(void);

static void skip(void) {
  while (*at == ' ') at++;
}

static double primary(void) {
  skip();
  if (*at == '(') {
    at++;
    double value = expression();
    skip();
    if (*at == ')') at++;
    else error = "no )";
    return value;
  }
  if (*at == '-') {
    at++;
    return -primary();
  }
  if (isdigit((unsigned char)*at)) {
    char *end;
    double value = strtod(at, &end);
    at = end;
    return value;
  }
  if (isalpha((unsigned char)*at)) {
    const char *name = at;
    while (isalpha((unsigned char)*at)) at++;
    int length = (int)(at - name);
    skip();
    if (*at == '(') {
      double value = primary();
      if (length == 4 && !memcmp(name, "sqrt", 4)) return sqrt(value);
      if (length == 3 && !memcmp(name, "sin", 3)) return sin(value);
      error = "no such function";
      return 0;
    }
    double *slot = name_slot(name, length);
    if (*at == '=') {
      at++;
      return *slot = expression();
    }
    return *slot;
  }
  error = "what?";
  return 0;
}

static double power(void) {
  double base = primary();
  skip();
  if (*at != '^') return base;
  at++;
  return pow(base, power());
}

static double term(void) {
  double value = power();
  for (skip(); *at == '*' || *at == '/'; skip()) value = *at++ == '*' ? value * power() : value / power();
  return value;
}

static double expression(void) {
  double value = term();
  for (skip(); *at == '+' || *at == '-'; skip()) value = *at++ == '+' ? value + term() : value - term();
  return value;
}

Result evaluate(const char *text) {
  at = text;
  error = NULL;
  double value = expression();
  skip();
  if (!error && *at) error = "something follows";
  return (Result){value, error};
}
