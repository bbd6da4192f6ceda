// SPDX-License-Identifier: MIT
//
// A calculator in three files: this one reads lines.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calc.h"

int main(void) {
  char line[256];
  int errors = 0;
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    Result result = evaluate(line);
    if (result.error) {
      printf("%s: %s\n", line, result.error);
      errors++;
    } else {
      printf("%s = %.10g\n", line, result.value);
    }
  }
  printf("%d names\n", count_names());
  return errors;
}
