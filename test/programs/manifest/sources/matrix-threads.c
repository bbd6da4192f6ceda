// SPDX-License-Identifier: MIT
//
// Threads that compute: a matrix product in stripes, a parallel merge sort, a reduction with atomics, a hash table with
// a lock for each chain.

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 96, THREADS = 4, NUMBERS = 60000, CHAINS = 64 };

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static void *stripe(void *first) {
  for (int i = (int)(long)first; i < SIZE; i += THREADS)
    for (int j = 0; j < SIZE; j++) {
      double sum = 0;
      for (int k = 0; k < SIZE; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  return NULL;
}

static uint32_t numbers[NUMBERS], other[NUMBERS];

typedef struct {
  int from, to, depth;
} Part;

static void *sort(void *argument) {
  Part part = *(Part *)argument;
  if (part.to - part.from < 2) return NULL;
  int middle = (part.from + part.to) / 2;
  Part left = {part.from, middle, part.depth - 1}, right = {middle, part.to, part.depth - 1};
  if (part.depth > 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, sort, &left);
    sort(&right);
    pthread_join(thread, NULL);
  } else {
    sort(&left);
    sort(&right);
  }
  int i = part.from, j = middle, k = part.from;
  while (i < middle && j < part.to) other[k++] = numbers[i] <= numbers[j] ? numbers[i++] : numbers[j++];
  while (i < middle) other[k++] = numbers[i++];
  while (j < part.to) other[k++] = numbers[j++];
  memcpy(&numbers[part.from], &other[part.from], (size_t)(part.to - part.from) * sizeof *numbers);
  return NULL;
}

typedef struct Entry {
  struct Entry *next;
  uint32_t key;
  int count;
} Entry;

static Entry *chains[CHAINS];
static pthread_mutex_t locks[CHAINS];
static atomic_ulong total;

static void *count_keys(void *first) {
  for (int i = (int)(long)first; i < NUMBERS; i += THREADS) {
    uint32_t key = numbers[i] % 1009;
    pthread_mutex_lock(&locks[key % CHAINS]);
    Entry *entry = chains[key % CHAINS];
    while (entry && entry->key != key) entry = entry->next;
    if (!entry) {
      entry = malloc(sizeof *entry);
      *entry = (Entry){chains[key % CHAINS], key, 0};
      chains[key % CHAINS] = entry;
    }
    entry->count++;
    pthread_mutex_unlock(&locks[key % CHAINS]);
    atomic_fetch_add(&total, key);
  }
  return NULL;
}

static void all(void *(*work)(void *)) {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = (i * 7 + j) % 13 - 6;
      b[i][j] = (i - j * 3) % 11;
    }
  double trace = 0;
  for (int round = 0; round < rounds; round++) all(stripe);
  for (int i = 0; i < SIZE; i++) trace += c[i][i];
  printf("trace %.1f, corner %.1f\n", trace, c[SIZE - 1][0]);

  uint32_t state = 1;
  for (int i = 0; i < NUMBERS; i++) numbers[i] = state = state * 1664525u + 1013904223u;
  Part whole = {0, NUMBERS, 2};
  sort(&whole);
  int sorted = 1;
  for (int i = 1; i < NUMBERS; i++) sorted &= numbers[i - 1] <= numbers[i];
  printf("sorted %d, least %u, greatest %u\n", sorted, numbers[0], numbers[NUMBERS - 1]);

  for (int i = 0; i < CHAINS; i++) pthread_mutex_init(&locks[i], NULL);
  all(count_keys);
  int keys = 0, most = 0;
  for (int i = 0; i < CHAINS; i++)
    for (Entry *entry = chains[i]; entry; entry = entry->next) {
      keys++;
      if (entry->count > most) most = entry->count;
    }
  printf("keys %d, most %d, total %lu\n", keys, most, (unsigned long)total);
  return 0;
}
