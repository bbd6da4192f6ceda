// SPDX-License-Identifier: MIT
//
// The line discipline by tables made from a seed: for each of many settings a new pseudo-terminal is fed bytes from
// the master's side, lines from the slave's, and everything that either side reads is printed. Arguments: how many
// settings, and the seed. Reading until nothing is left also waits for the kernel's worker, so nothing depends on time.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static uint64_t state;
static uint32_t rnd(uint32_t below) {
  state += 0x9e3779b97f4a7c15ull;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

static void show(const char *what, const unsigned char *bytes, int n) {
  printf(" %s=", what);
  for (int i = 0; i < n; i++) {
    if (bytes[i] > 32 && bytes[i] < 127 && bytes[i] != '\\') putchar(bytes[i]);
    else printf("\\%02x", bytes[i]);
  }
}

/** All that can be read now. Line by line in canonical mode, else as one text. */
static void drain(const char *what, int fd, int lines) {
  static unsigned char all[65536];
  int n = 0;
  for (int reads = 0; reads < 200; reads++) {
    int r = read(fd, all + n, lines ? 64 : 4096);
    if (r < 0) {
      if (errno != EAGAIN) printf(" %s:errno=%d", what, errno);
      break;
    }
    if (lines) show(what, all, r);
    else if (r == 0) break;
    else n += r;
  }
  if (!lines && n > 0) show(what, all, n);
}

static unsigned some(const unsigned *flags, int n, unsigned one_in) {
  unsigned set = 0;
  for (int i = 0; i < n; i++) if (rnd(one_in) == 0) set |= flags[i];
  return set;
}
#define SOME(one_in, ...) ({ const unsigned f_[] = {__VA_ARGS__}; some(f_, sizeof f_ / sizeof *f_, one_in); })

static void settings(struct termios *t) {
  t->c_iflag = SOME(4, ISTRIP, INLCR, IGNCR, IUCLC, IXANY, IMAXBEL, IXOFF, PARMRK) | SOME(2, ICRNL, IXON, IUTF8);
  t->c_oflag = SOME(4, OLCUC, OCRNL, ONOCR, ONLRET, XTABS) | (rnd(4) ? OPOST : 0) | (rnd(3) ? ONLCR : 0);
  t->c_lflag = SOME(4, ECHONL, NOFLSH, ECHOPRT, EXTPROC & 0) | (rnd(4) ? ICANON : 0) | (rnd(4) ? ECHO : 0) |
               (rnd(4) ? IEXTEN : 0) | SOME(2, ISIG, ECHOE, ECHOK, ECHOKE, ECHOCTL);
  // Without it, Linux shows its whole buffer of echoes anew after VLNEXT within an erasure.
  if (t->c_lflag & ECHOPRT) t->c_lflag |= ECHOCTL;
  for (int i = 0; i < 17; i++) {
    // Keys that are letters, keys that are off, two keys on one character.
    if (rnd(12) == 0) t->c_cc[i] = "abc \t#@\n\r"[rnd(9)];
    if (rnd(20) == 0) t->c_cc[i] = 0;
  }
  if (rnd(3) == 0) t->c_cc[VEOL] = '!';
  if (rnd(3) == 0) t->c_cc[VEOL2] = '?';
  t->c_cc[VMIN] = rnd(4) == 0 ? 0 : rnd(5);
  t->c_cc[VTIME] = 0;
}

static int piece(unsigned char *out, const struct termios *t, int most) {
  int n = 1 + rnd(most), m = 0;
  while (m < n) {
    switch (rnd(8)) {
    case 0: case 1: out[m++] = t->c_cc[rnd(17)]; break;
    case 2: out[m++] = "\n\r\t \x08\x7f\x16\x17"[rnd(8)]; break;
    case 3: out[m++] = rnd(256); break;
    case 4: out[m++] = 0xc3; if (m < n) out[m++] = 0x80 | rnd(64); break;
    default: out[m++] = "abcxyzABC_09 .-!?"[rnd(17)]; break;
    }
  }
  return m;
}

static void pair(int *master, int *slave) {
  int zero = 0;
  *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  ioctl(*master, TIOCSPTLCK, &zero);
  *slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (*slave < 0) { perror("pty"); exit(1); }
}

int main(int argc, char **argv) {
  int cases = argc > 1 ? atoi(argv[1]) : 100;
  uint64_t seed = argc > 2 ? strtoull(argv[2], 0, 0) : 1;
  static unsigned char bytes[8192];
  alarm(600);
  for (int i = 0; i < cases; i++) {
    state = seed * 1000003 + i;
    int master, slave;
    pair(&master, &slave);
    struct termios t;
    tcgetattr(slave, &t);
    settings(&t);
    ioctl(slave, TCSETS, &t);
    printf("case %d i=%o o=%o l=%o cc=", i, t.c_iflag, t.c_oflag, t.c_lflag);
    for (int k = 0; k < 17; k++) printf("%02x", t.c_cc[k]);
    puts("");
    int rounds = 4 + rnd(12);
    for (int r = 0; r < rounds; r++) {
      int action = rnd(12);
      if (action == 0) {
        // Settings change in the middle of a line.
        settings(&t);
        int how = rnd(3);
        ioctl(slave, how == 0 ? TCSETSF : how == 1 ? TCSETSW : TCSETS, &t);
        printf(" %d set%d i=%o o=%o l=%o", r, how, t.c_iflag, t.c_oflag, t.c_lflag);
      } else if (action == 1) {
        int queue = rnd(3);
        printf(" %d flush%d=%d", r, queue, ioctl(slave, TCFLSH, queue));
      } else if (action == 2) {
        int flow = rnd(2);
        printf(" %d flow%d=%d", r, flow, ioctl(slave, TCXONC, flow));
      } else if (action <= 5) {
        int n = piece(bytes, &t, 40);
        printf(" %d", r);
        show("out", bytes, n);
        int w = write(slave, bytes, n);
        printf(" wrote=%d", w < 0 ? -errno : w);
      } else {
        int n = piece(bytes, &t, 24);
        printf(" %d", r);
        show("in", bytes, n);
        // A key that signals throws away what its chunk has made readable or shown, if nobody was faster: byte by byte
        // there is no race.
        int step = (t.c_lflag & (ISIG | NOFLSH)) == ISIG ? 1 : n;
        for (int at = 0; at < n; at += step) {
          write(master, bytes + at, step);
          drain("read", slave, t.c_lflag & ICANON);
          drain("echo", master, 0);
        }
      }
      drain("read", slave, t.c_lflag & ICANON);
      drain("echo", master, 0);
      puts("");
    }
    // What remains.
    int waiting = 0;
    ioctl(slave, TCXONC, TCOON);
    drain("read", slave, t.c_lflag & ICANON);
    ioctl(slave, FIONREAD, &waiting);
    printf(" waiting=%d", waiting);
    drain("echo", master, 0);
    puts("");
    close(slave);
    close(master);
  }
  return 0;
}
