// SPDX-License-Identifier: MIT
//
// System V shared memory: attaching, sharing, counting, removal, rights, and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <signal.h>
#include <stdint.h>

#ifndef SHM_REMAP
#define SHM_REMAP 040000
#endif
#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

static long attached(int id) {
  struct shmid_ds ds;
  return shmctl(id, IPC_STAT, &ds) < 0 ? -1 : (long)ds.shm_nattch;
}

static void sharing(void) {
  int id = OK(shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0640));
  struct shmid_ds ds;
  CALL(shmctl(id, IPC_STAT, &ds));
  printf("size %zu mode %o nattch %ld lpid %d cpid own %d atime %ld dtime %ld ctime set %d key %d\n", ds.shm_segsz,
         ds.shm_perm.mode, (long)ds.shm_nattch, ds.shm_lpid, ds.shm_cpid == getpid(), (long)ds.shm_atime, (long)ds.shm_dtime,
         ds.shm_ctime > 0, ds.shm_perm.__key);
  char *a = shmat(id, 0, 0), *b = shmat(id, 0, SHM_RDONLY);
  strcpy(a, "hello");
  printf("through the other attachment: %s, apart %d\n", b, a != b);
  SHOW(attached(id));
  CHILD({
    SHOW(attached(id));
    strcpy(a + 4096, "from the child");
    CALL(shmdt(b));
    SHOW(attached(id));
  });
  printf("%s\n", a + 4096);
  shmctl(id, IPC_STAT, &ds);
  printf("nattch %ld atime %d dtime %d lpid of a child %d\n", (long)ds.shm_nattch, ds.shm_atime > 0, ds.shm_dtime > 0, ds.shm_lpid != getpid());
  CHILD({ signal(SIGSEGV, SIG_DFL); *(volatile char *)b = 1; });
  CALL(mprotect(b, 4096, PROT_READ | PROT_WRITE));
  CALL(mprotect(b, 4096, PROT_READ | PROT_EXEC));
  CALL(shmctl(id, IPC_RMID, 0));
  CALL(shmctl(id, IPC_STAT, &ds));
  printf("after RMID mode %o nattch %ld\n", ds.shm_perm.mode, (long)ds.shm_nattch);
  char *c = shmat(id, 0, 0);
  printf("still: %s\n", c);
  CALL(shmdt(a));
  CALL(shmdt(b));
  CALL(shmdt(c));
  CALL(shmctl(id, IPC_STAT, &ds));
  CALL((intptr_t)shmat(id, 0, 0));
}

static void places(void) {
  int id = shmget(IPC_PRIVATE, 3 * 4096, 0600);
  char *area = mmap(0, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(area, "below");
  CALL((intptr_t)shmat(id, area, 0));
  CALL((intptr_t)shmat(id, area + 1, 0));
  CALL((intptr_t)shmat(id, area + 1, SHM_RND));
  CALL((char *)shmat(id, area + 5, SHM_RND | SHM_REMAP) - area);
  printf("replaced: %d\n", area[0]);
  CALL((intptr_t)shmat(id, 0, SHM_REMAP));
  CALL((intptr_t)shmat(id, (void *)5, SHM_RND | SHM_REMAP));
  munmap(area + 4096, 4096);
  SHOW(attached(id));
  CALL(shmdt(area + 4096));
  CALL(shmdt(area + 1));
  CALL(shmdt(area));
  SHOW(attached(id));
  CALL(shmdt(area));
  munmap(area, 16 * 4096);
  CALL((char *)shmat(id, area, 0) - area);
  unsigned char *code = shmat(id, 0, SHM_EXEC);
  code[0] = 0xb8, code[1] = 42, code[2] = code[3] = code[4] = 0, code[5] = 0xc3;
  printf("executed: %d\n", ((int (*)(void))code)());
  CALL(shmctl(id, IPC_RMID, 0));
  shmdt(code), shmdt(area);
}

static void keys(void) {
  key_t key = 0x54524150 ^ getpid();
  int id = OK(shmget(key, 8192, IPC_CREAT | IPC_EXCL | 0600));
  CALL(shmget(key, 8192, IPC_CREAT | IPC_EXCL | 0600));
  CALL(shmget(key, 8192, 0) == id);
  CALL(shmget(key, 0, 0) == id);
  CALL(shmget(key, 100, IPC_CREAT | 0600) == id);
  CALL(shmget(key, 8193, 0));
  CALL(shmget(key + 1, 8192, 0));
  CALL(shmget(IPC_PRIVATE, 0, 0600));
  CALL(shmget(IPC_PRIVATE, -1, 0600));
  CALL(shmget(IPC_PRIVATE, 1UL << 50, 0600));
  NOBODY({
    CALL(shmget(key, 100, 0) == id);
    CALL(shmget(key, 100, 0400));
    CALL((intptr_t)shmat(id, 0, 0));
    CALL((intptr_t)shmat(id, 0, SHM_RDONLY));
    struct shmid_ds ds;
    CALL(shmctl(id, IPC_STAT, &ds));
    CALL(shmctl(id, IPC_SET, &ds));
    CALL(shmctl(id, IPC_RMID, 0));
    CALL(shmctl(id, SHM_LOCK, 0));
    CALL(shmctl(id, SHM_UNLOCK, 0));
  });
  struct shmid_ds ds;
  shmctl(id, IPC_STAT, &ds);
  ds.shm_perm.mode = 0644;
  ds.shm_perm.uid = 65534;
  CALL(shmctl(id, IPC_SET, &ds));
  shmctl(id, IPC_STAT, &ds);
  printf("mode %o uid %d cuid %d\n", ds.shm_perm.mode, ds.shm_perm.uid, ds.shm_perm.cuid);
  NOBODY({
    OK((intptr_t)shmat(id, 0, 0));
    CALL(shmctl(id, SHM_LOCK, 0));
    shmctl(id, IPC_STAT, &ds);
    printf("locked mode %o\n", ds.shm_perm.mode);
    CALL(shmctl(id, SHM_UNLOCK, 0));
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_MEMLOCK, &none);
    CALL(shmctl(id, SHM_LOCK, 0));
    CALL(shmctl(id, IPC_RMID, 0));
  });
  CALL(shmctl(id, IPC_STAT, &ds));
  CALL(shmget(key, 0, 0));
}

static void commands(void) {
  struct shmid_ds ds;
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  CALL(shmctl(-1, IPC_STAT, &ds));
  CALL(shmctl(id, 99, &ds));
  CALL(shmctl(id, -1, &ds));
  CALL(shmctl(0x7fffffff, IPC_STAT, &ds));
  CALL(shmctl(id + 32768, IPC_STAT, &ds));
  CALL(shmctl(id, IPC_STAT, (void *)8));
  CALL(shmctl(id, IPC_SET, (void *)8));
  CALL((intptr_t)shmat(-1, 0, 0));
  CALL((intptr_t)shmat(id + 32768, 0, 0));
  struct shminfo info;
  CALL(shmctl(0, IPC_INFO, (void *)&info) >= 0);
  printf("shmmin %lu shmmni %lu shmmax %lx shmall %lx\n", info.shmmin, info.shmmni, info.shmmax, info.shmall);
  CALL(shmctl(0, IPC_INFO, (void *)8));
  struct shm_info use;
  CALL(shmctl(0, SHM_INFO, (void *)&use) >= 0);
  printf("some in use %d\n", use.used_ids > 0 && use.shm_tot > 0);
  CALL(shmctl(id & 32767, SHM_STAT, &ds) == id);
  CALL(shmctl(id & 32767, SHM_STAT_ANY, &ds) == id);
  CALL(shmctl(32767, SHM_STAT, &ds));
  NOBODY({
    CALL(shmctl(id & 32767, SHM_STAT, &ds));
    CALL(shmctl(id & 32767, SHM_STAT_ANY, &ds) == id);
  });
  CALL(shmctl(id, IPC_RMID, 0));
  CALL(shmctl(id, IPC_RMID, 0));
}

static void lists(void) {
  int id = shmget(IPC_PRIVATE, 5000, 0600);
  FILE *f = fopen("/proc/sysvipc/shm", "r");
  char line[300];
  int found = 0;
  while (f && fgets(line, sizeof line, f)) {
    int key, one, perms;
    unsigned long size;
    if (sscanf(line, "%d %d %o %lu", &key, &one, &perms, &size) == 4 && one == id)
      found = key == 0 && perms == 0600 && size == 5000;
  }
  printf("listed %d\n", found);
  if (f) fclose(f);
  char *a = shmat(id, 0, 0);
  f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof line, f)) {
    unsigned long from, to, offset, inode;
    char perms[5], name[100] = "";
    sscanf(line, "%lx-%lx %4s %lx %*s %lu %99[^\n]", &from, &to, perms, &offset, &inode, name);
    if (from == (unsigned long)a) printf("maps: %s %lx inode is id %d %s\n", perms, offset, inode == id, name);
  }
  fclose(f);
  shmctl(id, IPC_RMID, 0);
}

int main(void) {
  sharing();
  places();
  keys();
  commands();
  lists();
}
