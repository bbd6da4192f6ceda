// SPDX-License-Identifier: MIT
//
// Names and their values, in a hash table.
#include <stdlib.h>
#include <string.h>

#include "calc.h"

typedef struct Name {
  struct Name *next;
  char *text;
  double value;
} Name;

static Name *table[31];
static int count;

double *name_slot(const char *name, int length) {
  unsigned hash = 5381;
  for (int i = 0; i < length; i++) hash = hash * 33 + (unsigned char)name[i];
  Name **chain = &table[hash % 31];
  for (Name *n = *chain; n; n = n->next)
    if (strlen(n->text) == (size_t)length && !memcmp(n->text, name, (size_t)length)) return &n->value;
  Name *made = calloc(1, sizeof *made);
  made->text = strndup(name, (size_t)length);
  made->next = *chain;
  *chain = made;
  count++;
  return &made->value;
}

int count_names(void) { return count; }
