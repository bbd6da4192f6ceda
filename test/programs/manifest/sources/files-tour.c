// SPDX-License-Identifier: MIT
//
// Files as C programs use them: stdio in every mode, descriptors, holes, vectors, maps shared and private, directories,
// links, times, locks, temporary files.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *why(int result) { return result < 0 ? strerror(errno) : "fine"; }

static void stdio(void) {
  FILE *f = fopen("text", "w+");
  for (int i = 0; i < 2000; i++) fprintf(f, "%d:%s\n", i, i % 3 ? "line" : "row");
  fseek(f, 0, SEEK_SET);
  char line[64];
  int rows = 0, number = -1;
  while (fgets(line, sizeof line, f)) rows += strstr(line, "row") != NULL;
  printf("%d rows, %ld bytes, end %d; ", rows, ftell(f), feof(f) != 0);
  fseek(f, -6, SEEK_END);
  fputs("CHANGE", f);
  rewind(f);
  int matched = fscanf(f, "%d", &number);
  printf("first %d %d, ", matched, number);
  ungetc('x', f);
  printf("%c, ", fgetc(f));
  fclose(f);
  f = fopen("text", "a");
  fputs("appended\n", f);
  printf("size %ld; ", ftell(f));
  fclose(f);
  char *whole = NULL;
  size_t room = 0;
  f = fopen("text", "r");
  ssize_t length = 0, last;
  while ((last = getline(&whole, &room, f)) > 0) length = last;
  printf("last line has %zd; ", length);
  fclose(f);
  f = open_memstream(&whole, &room);
  fprintf(f, "%s %5.2f %#x", "memory", 3.14159, 255);
  fclose(f);
  printf("%s %zu; %s\n", whole, room, fopen("no/where", "r") ? "?" : strerror(errno));
  free(whole);
}

static void descriptors(void) {
  int fd = open("holes", O_CREAT | O_EXCL | O_RDWR, 0640);
  printf("again: %s; ", why(open("holes", O_CREAT | O_EXCL | O_RDWR, 0640)));
  lseek(fd, 1 << 20, SEEK_SET);
  struct iovec parts[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
  printf("writev %zd; ", writev(fd, parts, 3));
  char text[16] = {0}, other[8] = {0};
  struct iovec into[2] = {{other, 3}, {text, 8}};
  printf("preadv %zd %s %s; ", preadv(fd, into, 2, 1 << 20), other, text);
  struct stat info;
  fstat(fd, &info);
  printf("size %lld mode %o links %d; ", (long long)info.st_size, info.st_mode & 07777, (int)info.st_nlink);
  printf("ftruncate %s, ", why(ftruncate(fd, 100)));
  fstat(fd, &info);
  printf("%lld; ", (long long)info.st_size);
  int copy = dup(fd), flags = fcntl(copy, F_GETFL);
  fcntl(fd, F_SETFL, O_APPEND);
  lseek(copy, 0, SEEK_SET);
  if (write(copy, "at the end", 10) != 10) puts("?");
  printf("append %d %lld; ", (fcntl(copy, F_GETFL) & O_APPEND) != 0 && !(flags & O_APPEND), (long long)lseek(fd, 0, SEEK_CUR));
  int reading = open("holes", O_RDONLY);
  printf("write to it: %s; ", why((int)write(reading, "x", 1)));
  printf("pread past the end %zd; directory: %s\n", pread(reading, text, 5, 5000), why(open(".", O_WRONLY)));
  close(reading);
  close(copy);
  close(fd);
}

static void maps(void) {
  int fd = open("mapped", O_CREAT | O_RDWR, 0600);
  if (ftruncate(fd, 8192)) return;
  char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  strcpy(shared + 4090, "over the page");
  char text[16] = {0};
  printf("pread %zd %s; private sees %s; ", pread(fd, text, 13, 4090), text, private + 4090);
  strcpy(private, "mine");
  if (pwrite(fd, "yours", 6, 0) != 6) puts("?");
  printf("%s %s; ", private, shared);
  pid_t pid = fork();
  if (pid == 0) {
    strcpy(shared + 100, "from the child");
    strcpy(private + 200, "unseen");
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  printf("%s, [%s]; ", shared + 100, private + 200);
  printf("msync %s, ", why(msync(shared, 8192, MS_SYNC)));
  char *grown = mremap(shared, 8192, 16384, MREMAP_MAYMOVE);
  printf("mremap %s, ", grown == MAP_FAILED ? "?" : grown + 100);
  printf("munmap %s\n", why(munmap(grown, 16384)));
  close(fd);
}

static int files, folders, links;
static int visit(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)path;
  (void)info;
  (void)at;
  files += kind == FTW_F;
  folders += kind == FTW_D;
  links += kind == FTW_SL;
  return 0;
}

static void trees(void) {
  char path[64];
  for (int i = 0; i < 6; i++) {
    snprintf(path, sizeof path, "tree%s", i == 0 ? "" : "/");
    for (int j = 1; j <= i; j++) snprintf(path + strlen(path), 8, "d%d/", j);
    mkdir(path, 0755);
    for (int j = 0; j < 30; j++) {
      char name[96];
      snprintf(name, sizeof name, "%s/f%d", path, j);
      close(open(name, O_CREAT | O_WRONLY, 0644));
    }
  }
  printf("symlink %s, ", why(symlink("f1", "tree/link")));
  printf("link %s, ", why(link("tree/f2", "tree/hard")));
  printf("rename %s, ", why(rename("tree/f3", "tree/d1/f4")));
  printf("into itself: %s, ", why(rename("tree", "tree/d1/in")));
  printf("rmdir: %s, ", why(rmdir("tree/d1")));
  printf("unlink: %s\n", why(unlink("tree/none")));
  nftw("tree", visit, 10, FTW_PHYS);
  struct dirent **names;
  int count = scandir("tree", &names, NULL, alphasort);
  printf("%d files, %d folders, %d links; %d entries from %s to %s; ", files, folders, links, count, names[0]->d_name, names[count - 1]->d_name);
  DIR *folder = opendir("tree/d1");
  int seen = 0;
  while (readdir(folder)) seen++;
  rewinddir(folder);
  while (readdir(folder)) seen++;
  closedir(folder);
  printf("%d read; ", seen);
  struct timespec times[2] = {{1000000000, 5}, {UTIME_OMIT - UTIME_OMIT, 7}};
  utimensat(AT_FDCWD, "tree/f5", times, 0);
  struct stat info;
  stat("tree/f5", &info);
  printf("%ld.%ld %ld.%ld; ", (long)info.st_atim.tv_sec, info.st_atim.tv_nsec, (long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  ssize_t length = readlink("tree/link", path, sizeof path);
  printf("link of %zd; access %s; ", length, why(access("tree/f5", R_OK)));
  int at = open("tree/d1", O_DIRECTORY | O_RDONLY);
  printf("openat %s, unlinkat %s\n", why(openat(at, "f6", O_RDONLY)), why(unlinkat(at, "f7", 0)));
}

static void locks(void) {
  int fd = open("lock", O_CREAT | O_RDWR, 0600), ends[2];
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
  printf("lock %s; ", why(fcntl(fd, F_SETLK, &whole)));
  if (pipe(ends)) return;
  pid_t pid = fork();
  if (pid == 0) {
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    fcntl(fd, F_GETLK, &probe);
    printf("held by the parent from %d for %d: %d; ", (int)probe.l_start, (int)probe.l_len, probe.l_pid == getppid());
    probe = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
    printf("try: %s; ", why(fcntl(fd, F_SETLK, &probe)));
    printf("beside it: %s; ", (probe.l_start = 40, why(fcntl(fd, F_SETLK, &probe))));
    probe.l_start = 15;
    if (write(ends[1], "w", 1) != 1) _exit(1);
    printf("waited: %s; ", why(fcntl(fd, F_SETLKW, &probe)));
    _exit(0);
  }
  char byte;
  if (read(ends[0], &byte, 1) != 1) return;
  usleep(5000);
  whole.l_type = F_UNLCK;
  fcntl(fd, F_SETLK, &whole);
  int status;
  waitpid(pid, &status, 0);
  int other = open("lock", O_RDWR);
  printf("flock %s, ", why(flock(fd, LOCK_EX)));
  printf("other: %s\n", why(flock(other, LOCK_EX | LOCK_NB)));
}

static void temporary(void) {
  char name[] = "madeXXXXXX", folder[] = "dirXXXXXX";
  int fd = mkstemp(name);
  struct stat info;
  fstat(fd, &info);
  printf("mkstemp %o %d; mkdtemp %d; ", info.st_mode & 0777, (int)strlen(name), mkdtemp(folder) != NULL);
  unlink(name);
  fstat(fd, &info);
  if (write(fd, "still here", 10) != 10) puts("?");
  char text[16] = {0};
  printf("unlinked: %d links, %zd bytes %s; ", (int)info.st_nlink, pread(fd, text, 15, 0), text);
  FILE *f = tmpfile();
  fputs("nameless", f);
  rewind(f);
  printf("tmpfile %s; ", fgets(text, sizeof text, f));
  umask(027);
  mkdir("masked", 0777);
  stat("masked", &info);
  printf("masked %o; cwd %s\n", info.st_mode & 0777, chdir("masked") == 0 && chdir("..") == 0 ? "back" : "?");
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  stdio();
  descriptors();
  maps();
  trees();
  locks();
  temporary();
  return 0;
}
