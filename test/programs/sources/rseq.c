// SPDX-License-Identifier: MIT
//
// Restartable sequences: a signal and a preemption inside the critical section lead to its abort address. For a C
// library that does not register an area of its own.

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define SIGNATURE 0x53053053

struct area { uint32_t cpu_id_start, cpu_id; uint64_t cs; uint32_t flags, padding[3]; } __attribute__((aligned(32)));
static struct area area = {.cpu_id = -1u};
static volatile int signals, stop;

static void on_alarm(int s) { (void)s; signals++; }
static void *busy(void *p) {
  while (!stop) ;
  return p;
}

/** Spins inside the critical section until it is aborted; gives 1 then. */
static long spin(void) {
  long aborted;
  __asm__ volatile(
      ".pushsection .data\n .balign 32\n 1: .long 0,0\n .quad 2f,3f-2f,4f\n .popsection\n"
      "lea 1b(%%rip),%%rax\n mov %%rax,%1\n"
      "2: pause\n jmp 2b\n 3:\n"
      ".long 0x53053053\n"
      "4: mov $1,%0"
      : "=r"(aborted), "=m"(area.cs) : : "rax", "memory");
  return aborted;
}

static long rseq(void *a, uint32_t n, int f, uint32_t s) { return syscall(SYS_rseq, a, n, f, s) == 0 ? 0 : -errno; }

int main(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  sched_getaffinity(0, sizeof one, &one);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &one)) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);

  printf("too short %ld\n", rseq(&area, 16, 0, SIGNATURE));
  printf("unaligned %ld\n", rseq((char *)&area + 4, 32, 0, SIGNATURE));
  printf("register %ld cpu %d\n", rseq(&area, 32, 0, SIGNATURE), area.cpu_id == (uint32_t)cpu);
  printf("twice %ld other %ld\n", rseq(&area, 32, 0, SIGNATURE), rseq(&area, 32, 0, 1));

  struct sigaction a = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &a, 0);
  struct itimerval t = {.it_value = {0, 10000}};
  setitimer(ITIMER_REAL, &t, 0);
  long r = spin();
  printf("signal or preemption aborts %ld, cs cleared %d\n", r, area.cs == 0);

  pthread_t other;
  pthread_create(&other, 0, busy, 0);
  printf("preemption aborts %ld\n", spin());
  stop = 1;
  pthread_join(other, 0);

  printf("wrong signature %ld\n", rseq(&area, 32, 1, 1));
  r = rseq(&area, 32, 1, SIGNATURE);
  printf("unregister %ld cpu %d\n", r, (int)area.cpu_id);
  return 0;
}
