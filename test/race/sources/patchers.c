// SPDX-License-Identifier: MIT
//
// Patchers for races: void patch(site, code) writes five bytes of code over five bytes that threads execute.

#define SYS_MEMBARRIER 324
#define SYNC_CORE 32 // MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE

static inline __attribute__((always_inline)) void synchronise(void) {
  long result = SYS_MEMBARRIER;
  __asm__ volatile("syscall" : "+a"(result) : "D"(SYNC_CORE), "S"(0), "d"(0) : "rcx", "r11", "memory");
}

/** Opcode first, then the operand in one store. */
void naive(volatile unsigned char *site, const unsigned char *code) {
  site[0] = code[0];
  *(volatile unsigned int *)(site + 1) = *(const unsigned int *)(code + 1);
}

/** As Linux's text_poke: int3, the tail, the opcode, and everybody serialises after each. */
void text_poke(volatile unsigned char *site, const unsigned char *code) {
  site[0] = 0xcc;
  synchronise();
  *(volatile unsigned int *)(site + 1) = *(const unsigned int *)(code + 1);
  synchronise();
  site[0] = code[0];
  synchronise();
}

/** The same without a word to the others. */
void text_poke_unsynchronised(volatile unsigned char *site, const unsigned char *code) {
  site[0] = 0xcc;
  *(volatile unsigned int *)(site + 1) = *(const unsigned int *)(code + 1);
  site[0] = code[0];
}

static inline __attribute__((always_inline)) void protect(unsigned long address, long prot) {
  long result = 10; // mprotect
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(address & ~4095ul), "S"(4096), "d"(prot)
                   : "rcx", "r11", "memory");
}

/** As compilers that never have a page both writable and executable: threads must keep away meanwhile. */
void write_xor_execute(volatile unsigned char *site, const unsigned char *code) {
  protect((unsigned long)site, 3);
  for (int i = 0; i < 5; i++) site[i] = code[i];
  protect((unsigned long)site, 5);
}

/** 0 free, 2 taken. Not static: a shared object finds it through its GOT. */
int word;

static inline __attribute__((always_inline)) void futex(long operation, long value) {
  long result = 202; // futex
  __asm__ volatile("syscall" : "+a"(result) : "D"(&word), "S"(operation), "d"(value) : "rcx", "r11", "memory");
}

static inline __attribute__((always_inline)) void acquire(void) {
  while (__atomic_exchange_n(&word, 2, __ATOMIC_SEQ_CST) != 0) futex(128, 2); // FUTEX_WAIT_PRIVATE
}

/** For several at a time: who comes second finds the work done. */
void locked(volatile unsigned char *site, const unsigned char *code) {
  acquire();
  if (site[0] != code[0]) text_poke(site, code);
  __atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
  futex(129, 1); // FUTEX_WAKE_PRIVATE
}

/** The same, and nobody is woken. */
void forgetful(volatile unsigned char *site, const unsigned char *code) {
  acquire();
  if (site[0] != code[0]) text_poke(site, code);
  __atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
}

int main(void) { return 0; }
