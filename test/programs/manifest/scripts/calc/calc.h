// SPDX-License-Identifier: MIT
#ifndef CALC_H
#define CALC_H

typedef struct {
  double value;
  const char *error;
} Result;

Result evaluate(const char *text);
double *name_slot(const char *name, int length);
int count_names(void);

#endif
