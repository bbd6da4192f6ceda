// SPDX-License-Identifier: MIT
//
// Work for the processor: a hash, a compressor, regular expressions, floating point, long division, strings, a heap.

#include <math.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t state = 12345;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

static uint32_t rotate(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

/** SHA-256 with constants worked out from the primes. */
static void sha256(const uint8_t *data, size_t length, uint8_t out[32]) {
  uint32_t k[64], h[8], w[64];
  int found = 0;
  for (int n = 2; found < 64; n++) {
    int prime = 1;
    for (int d = 2; d * d <= n; d++) prime &= n % d != 0;
    if (!prime) continue;
    double root = cbrt(n);
    k[found] = (uint32_t)((root - floor(root)) * 4294967296.0);
    if (found < 8) h[found] = (uint32_t)((sqrt(n) - floor(sqrt(n))) * 4294967296.0);
    found++;
  }
  size_t padded = (length + 9 + 63) / 64 * 64;
  uint8_t *all = calloc(padded, 1);
  memcpy(all, data, length);
  all[length] = 0x80;
  for (int i = 0; i < 8; i++) all[padded - 1 - i] = (uint8_t)((uint64_t)length * 8 >> 8 * i);
  for (size_t at = 0; at < padded; at += 64) {
    uint32_t v[8];
    for (int i = 0; i < 16; i++)
      w[i] = (uint32_t)all[at + 4 * i] << 24 | (uint32_t)all[at + 4 * i + 1] << 16 | (uint32_t)all[at + 4 * i + 2] << 8 | all[at + 4 * i + 3];
    for (int i = 16; i < 64; i++)
      w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
      uint32_t t = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      uint32_t u = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      memmove(v + 1, v, 28);
      v[4] += t;
      v[0] = t + u;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
  }
  for (int i = 0; i < 32; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
  free(all);
}

static void hash(int kilobytes) {
  size_t length = (size_t)kilobytes * 1024;
  uint8_t *data = malloc(length), out[32];
  for (size_t i = 0; i < length; i++) data[i] = (uint8_t)(next() >> 24);
  sha256(data, length, out);
  for (int i = 0; i < 32; i++) printf("%02x", out[i]);
  putchar('\n');
  free(data);
}

/** Packs by back references and unpacks again. */
static void pack(void) {
  enum { LENGTH = 40000 };
  static uint8_t in[LENGTH], packed[2 * LENGTH], out[LENGTH];
  static int last[65536];
  for (int i = 0; i < LENGTH; i++) in[i] = "aaabbbab"[next() >> 16 & (i / 64 % 2 ? 7 : 1)];
  memset(last, -1, sizeof last);
  int n = 0;
  for (int i = 0; i < LENGTH;) {
    int length = 0, from = -1;
    if (i + 2 < LENGTH) {
      int key = in[i] << 8 ^ in[i + 1] << 4 ^ in[i + 2];
      from = last[key & 65535];
      last[key & 65535] = i;
      if (from >= 0 && i - from < 65536)
        while (length < 255 && i + length < LENGTH && in[from + length] == in[i + length]) length++;
    }
    if (length > 4) {
      packed[n++] = (uint8_t)length;
      packed[n++] = (uint8_t)((i - from) >> 8);
      packed[n++] = (uint8_t)(i - from);
      i += length;
    } else {
      packed[n++] = 0;
      packed[n++] = in[i++];
    }
  }
  int m = 0;
  for (int i = 0; i < n;) {
    if (packed[i]) {
      int from = m - (packed[i + 1] << 8 | packed[i + 2]);
      for (int j = 0; j < packed[i]; j++, m++) out[m] = out[from + j];
      i += 3;
    } else {
      out[m++] = packed[i + 1];
      i += 2;
    }
  }
  printf("packed %d to %d, same %d\n", LENGTH, n, m == LENGTH && memcmp(in, out, LENGTH) == 0);
}

static void expressions(void) {
  regex_t date, word;
  regmatch_t at[4];
  regcomp(&date, "([0-9]{4})-([01][0-9])-([0-3][0-9])", REG_EXTENDED);
  regcomp(&word, "^[a-z]*(x|yz)+[a-z]*$", REG_EXTENDED | REG_NOSUB | REG_ICASE);
  int dates = 0, words = 0;
  char text[64];
  for (int i = 0; i < 2000; i++) {
    uint32_t r = next() >> 8;
    snprintf(text, sizeof text, "on %04u-%02u-%02u", 1900 + r % 200, r / 7 % 20, r / 11 % 40);
    dates += regexec(&date, text, 4, at, 0) == 0 && at[1].rm_so == 3;
    for (int j = 0; j < 8; j++) text[j] = "abwxyzAZ"[next() >> 20 & 7];
    text[8] = 0;
    words += regexec(&word, text, 0, NULL, 0) == 0;
  }
  printf("%d dates, %d words\n", dates, words);
  regfree(&date);
  regfree(&word);
}

static double simpson(double (*f)(double), double a, double b, int n) {
  double sum = f(a) + f(b), h = (b - a) / n;
  for (int i = 1; i < n; i++) sum += f(a + i * h) * (i % 2 ? 4 : 2);
  return sum * h / 3;
}

static double bell(double x) { return exp(-x * x); }

static void floats(void) {
  printf("%.12f %.12f %.12f\n", simpson(sin, 0, M_PI, 4000), simpson(bell, -6, 6, 4000) - sqrt(M_PI), simpson(log1p, 0, 1, 2000));
  double x = 1, y = 0;
  for (int i = 0; i < 20000; i++) {
    double t = x * 0.99999 - y * 0.004;
    y = y * 0.99999 + x * 0.004;
    x = t;
  }
  float f = 0;
  for (int i = 1; i < 30000; i++) f += 1.0f / (float)i;
  long double l = 1;
  for (int i = 1; i < 30; i++) l = l * i / 3;
  printf("%.10f %.10f %.5f %.6Lf %a %g %e\n", x, y, (double)f, l, 0.1, 1e-310, nextafter(1, 2));
}

static void digits(void) {
  enum { DIGITS = 700 };
  static int a[DIGITS * 10 / 3 + 1];
  int size = DIGITS * 10 / 3 + 1, nines = 0, before = 0, sum = 0, count = 0;
  for (int i = 0; i < size; i++) a[i] = 2;
  for (int d = 0; d < DIGITS; d++) {
    int q = 0;
    for (int i = size; i > 0; i--) {
      int x = 10 * a[i - 1] + q * i;
      a[i - 1] = x % (2 * i - 1);
      q = x / (2 * i - 1);
    }
    a[0] = q % 10;
    q /= 10;
    if (q == 9) nines++;
    else {
      sum += before + q / 10 + nines * (q == 10 ? 0 : 9);
      count += 1 + nines;
      before = q == 10 ? 0 : q;
      nines = 0;
    }
  }
  printf("%d digits of pi, their sum %d\n", count, sum);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void heap(void) {
  enum { COUNT = 5000 };
  static char *texts[COUNT];
  for (int round = 0; round < 4; round++)
    for (int i = 0; i < COUNT; i++) {
      size_t length = next() >> 20 & 127;
      texts[i] = realloc(round % 2 ? texts[i] : (free(texts[i]), NULL), length + 1);
      for (size_t j = 0; j < length; j++) texts[i][j] = (char)('a' + (next() >> 24) % 26);
      texts[i][length] = 0;
    }
  qsort(texts, COUNT, sizeof *texts, by_text);
  size_t total = 0;
  int ordered = 1;
  for (int i = 0; i < COUNT; i++) {
    total += strlen(texts[i]);
    if (i && strcmp(texts[i - 1], texts[i]) > 0) ordered = 0;
  }
  printf("%zu letters, ordered %d, the last begins %.8s\n", total, ordered, texts[COUNT - 1]);
  char *big = calloc(1, 20 << 20);
  for (size_t i = 0; i < 20 << 20; i += 4096) big[i] = (char)i;
  big = realloc(big, 40 << 20);
  printf("grown: %d %d\n", big[0], big[4096 * 5]);
  free(big);
}

int main(int argc, char **argv) {
  time_t then = 1000000000;
  char text[64];
  strftime(text, sizeof text, "%A %d %B %Y %H:%M:%S", gmtime(&then));
  puts(text);
  hash(argc > 1 ? atoi(argv[1]) : 64);
  pack();
  expressions();
  floats();
  digits();
  heap();
  return 0;
}
