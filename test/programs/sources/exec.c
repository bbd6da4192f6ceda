// SPDX-License-Identifier: MIT
//
// execve and execveat: scripts of every kind, programs by descriptor, what a new program inherits, and each error of
// the manual page that a program can provoke.
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char folder[] = "/tmp/exec-XXXXXX";
static char self[4096];

/** What a program sees that was started as `show`. */
static int show(int argc, char **argv) {
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  printf("  name %s, %d arguments:", strstr(name, "exec-") == name ? "of the program" : name, argc);
  for (int i = 1; i < argc; i++) {
    // Paths in the folder differ from run to run.
    char *at = strstr(argv[i], "/exec-");
    if (strlen(argv[i]) > 100) printf(" <a long one>");
    else printf(" <%s>", at != NULL && at - argv[i] == 4 ? at + 12 : argv[i]);
  }
  printf("\n");
  return 0;
}

static void write_file(const char *name, const void *content, size_t length, mode_t mode) {
  unlink(name);
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (write(fd, content, length) != (ssize_t)length) abort();
  fchmod(fd, mode);
  close(fd);
}

static void script(const char *name, const char *text) { write_file(name, text, strlen(text), 0755); }

static const char *error_name(int number) {
  static const struct {
    int number;
    const char *name;
  } names[] = {{E2BIG, "E2BIG"},     {EACCES, "EACCES"},   {EBADF, "EBADF"},   {EFAULT, "EFAULT"},
               {EINVAL, "EINVAL"},   {EIO, "EIO"},         {EISDIR, "EISDIR"}, {ELIBBAD, "ELIBBAD"},
               {ELOOP, "ELOOP"},     {ENOENT, "ENOENT"},   {ENOEXEC, "ENOEXEC"}, {ENAMETOOLONG, "ENAMETOOLONG"},
               {ENOTDIR, "ENOTDIR"}, {ETXTBSY, "ETXTBSY"}, {ENOMEM, "ENOMEM"}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == number) return names[i].name;
  return "another error";
}

/** Runs one execveat in a child and tells what came of it. */
static void try(const char *what, int dirfd, const char *path, char **argv, char **envp, int flags) {
  printf("%s:", what);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("\n");
    fflush(stdout);
    syscall(SYS_execveat, dirfd, path, argv, envp, flags);
    _exit(errno == 0 ? 255 : errno);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("  killed by %d\n", WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0) printf("  %s\n", error_name(WEXITSTATUS(status)));
}

static void run(const char *what, const char *path) {
  char *argv[] = {"zero", "one", "", NULL};
  try(what, AT_FDCWD, path, argv, environ, 0);
}

static void check_scripts(void) {
  char text[8192];
  snprintf(text, sizeof text, "#!%s show\nrest", self);
  script("plain", text);
  run("a script", "./plain");
  run("a script by its full path", "plain");
  snprintf(text, sizeof text, "#! \t %s   show\tand more  \t \nrest", self);
  script("spaces", text);
  run("blanks around and within the argument", "./spaces");
  snprintf(text, sizeof text, "#!%s", self);
  script("end", text);
  char *shown[] = {"zero", "show", "one", NULL};
  try("no line break", AT_FDCWD, "./end", shown, environ, 0);
  char *none[] = {NULL};
  try("no argument at all", AT_FDCWD, "./plain", none, environ, 0);
  script("empty-1", "#!\n");
  run("no interpreter", "./empty-1");
  script("empty-2", "#!   \t  \n");
  run("blanks for an interpreter", "./empty-2");
  script("empty-3", "#!");
  run("nothing but #!", "./empty-3");
  snprintf(text, sizeof text, "#!%s show  ", self);
  script("blank-end", text);
  run("blanks and no line break", "./blank-end");
  snprintf(text, sizeof text, "#!%s ", self);
  script("blank-argument", text);
  try("one blank and no line break", AT_FDCWD, "./blank-argument", shown, environ, 0);
  memset(text, ' ', 600);
  memcpy(text, "#!", 2);
  write_file("blanks", text, 600, 0755);
  run("blanks without end", "./blanks");
  memset(text, 'a', 600);
  memcpy(text, "#!/", 3);
  write_file("long", text, 600, 0755);
  run("a name that is cut off", "./long");
  snprintf(text, sizeof text, "#!%s show ", self);
  size_t length = strlen(text);
  memset(text + length, 'x', 600);
  write_file("long-argument", text, length + 600, 0755);
  run("an argument that is cut off", "./long-argument");
  script("missing", "#!/no/such/interpreter\n");
  run("an interpreter that is not there", "./missing");
  script("directory", "#!/\n");
  run("a directory for an interpreter", "./directory");
  write_file("data", "#!/bin/sh\n", 10, 0644);
  script("unexecutable", "#!./data\n");
  run("an interpreter that may not be executed", "./unexecutable");
  write_file("words", "just words\n", 11, 0755);
  script("to-words", "#!./words\n");
  run("an interpreter that is no program", "./to-words");
  write_file("nothing", "", 0, 0755);
  run("an empty file", "./nothing");
  run("a text", "./words");
  run("a file that may not be executed", "./data");
  for (int i = 1; i <= 7; i++) {
    char name[16];
    snprintf(name, sizeof name, "chain-%d", i);
    if (i == 1) snprintf(text, sizeof text, "#!%s show\n", self);
    else snprintf(text, sizeof text, "#!./chain-%d %d\n", i - 1, i);
    script(name, text);
    snprintf(text, sizeof text, "%d scripts, one the interpreter of the other", i);
    snprintf(name, sizeof name, "./chain-%d", i);
    run(text, name);
  }
  script("loop", "#!./loop\n");
  run("a script that is its own interpreter", "./loop");
}

static void check_descriptors(void) {
  char *argv[] = {"zero", "show", "one", NULL};
  int fd = open(self, O_RDONLY | O_CLOEXEC);
  dup3(fd, 40, O_CLOEXEC);
  close(fd);
  // The name of such a program is the number up to Linux 6.13 and the file's from then on.
  int path = open(self, O_PATH);
  dup2(path, 41);
  close(path);
  script("script", "#!/proc/self/exe show\n");
  open("script", O_RDONLY);
  fd = open("script", O_RDONLY);
  dup3(fd, 42, O_CLOEXEC);
  dup2(fd, 43);
  int here = open(".", O_RDONLY | O_DIRECTORY);
  dup2(here, 44);
  dup3(here, 45, O_CLOEXEC);
  symlink("script", "link");
  try("a script by a descriptor that closes", 42, "", argv, environ, AT_EMPTY_PATH);
  try("a script by name in a directory that closes", 45, "script", argv, environ, 0);
  try("a full path beside a directory that closes", 45, "/no/such", argv, environ, 0);
  try("a link, not followed", 44, "link", argv, environ, AT_SYMLINK_NOFOLLOW);
  try("a directory", 44, "", argv, environ, AT_EMPTY_PATH);
  try("no name", 44, "", argv, environ, 0);
  try("no name and no descriptor", 99, "", argv, environ, AT_EMPTY_PATH);
  try("no descriptor", 99, "script", argv, environ, 0);
  try("a name below a file", 43, "script", argv, environ, 0);
  try("unknown flags", 44, "script", argv, environ, 1);
  char *scripted[] = {"zero", NULL};
  try("a script in a directory", 44, "script", scripted, environ, 0);
  try("a link", 44, "link", scripted, environ, 0);
}

/** An ELF file with one segment and, if `interpreter` is not null, a name of so many bytes. */
static void elf(const char *name, const char *interpreter, size_t length, int machine) {
  static char file[8192];
  memset(file, 0, sizeof file);
  Elf64_Ehdr *header = (Elf64_Ehdr *)file;
  memcpy(header->e_ident, ELFMAG, SELFMAG);
  header->e_ident[EI_CLASS] = ELFCLASS64;
  header->e_ident[EI_DATA] = ELFDATA2LSB;
  header->e_ident[EI_VERSION] = EV_CURRENT;
  header->e_type = ET_DYN;
  header->e_machine = machine;
  header->e_version = EV_CURRENT;
  header->e_entry = 0x1000;
  header->e_phoff = sizeof *header;
  header->e_ehsize = sizeof *header;
  header->e_phentsize = sizeof(Elf64_Phdr);
  header->e_phnum = interpreter == NULL ? 1 : 2;
  Elf64_Phdr *segments = (Elf64_Phdr *)(file + sizeof *header);
  segments[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, 0, 0, 0x1001, 0x1001, 0x1000};
  segments[1] = (Elf64_Phdr){PT_INTERP, PF_R, 0x800, 0x800, 0x800, length, length, 1};
  if (interpreter != NULL) memcpy(file + 0x800, interpreter, length);
  file[0x1000] = 0xf4; // hlt: the program dies at once
  write_file(name, file, 0x1001, 0755);
}

static void check_elf(void) {
  elf("alone", NULL, 0, EM_X86_64);
  run("a program of one instruction that it may not execute", "./alone");
  elf("other", NULL, 0, EM_AARCH64);
  run("a program of another machine", "./other");
  elf("foreign", "./other", 8, EM_X86_64);
  run("an interpreter of another machine", "./foreign");
  elf("wanting", "/no/such/ld.so", 15, EM_X86_64);
  run("an ELF interpreter that is not there", "./wanting");
  elf("bare", "", 1, EM_X86_64);
  run("an interpreter's name of one byte", "./bare");
  elf("unnamed", "\0", 2, EM_X86_64);
  run("an interpreter's name that is empty", "./unnamed");
  elf("endless", "./alone?", 8, EM_X86_64);
  run("an interpreter's name without an end", "./endless");
  elf("to-directory", "/\0", 2, EM_X86_64);
  run("an ELF interpreter that is a directory", "./to-directory");
  elf("to-data", "./data", 7, EM_X86_64);
  run("an ELF interpreter that may not be executed", "./to-data");
  elf("to-text", "./words", 8, EM_X86_64);
  run("an ELF interpreter that is a short text", "./to-text");
  char text[200];
  memset(text, 'x', sizeof text);
  write_file("long-text", text, sizeof text, 0755);
  elf("to-long-text", "./long-text", 12, EM_X86_64);
  run("an ELF interpreter that is a long text", "./to-long-text");
  elf("good", "./alone", 8, EM_X86_64);
  run("an ELF interpreter that dies at once", "./good");
  elf("whole", NULL, 0, EM_X86_64);
  int fd = open("whole", O_WRONLY);
  run("a program that is open for writing", "./whole");
  close(fd);
  fd = open("alone", O_WRONLY);
  run("a program whose interpreter is open for writing", "./good");
  close(fd);
  truncate("whole", 40);
  run("a header that is cut off", "./whole");
  truncate("whole", 80);
  run("program headers that are cut off", "./whole");
}

static void check_arguments(void) {
  char *argv[] = {"zero", "show", NULL};
  try("a bad path", AT_FDCWD, (char *)8, argv, environ, 0);
  try("a bad vector", AT_FDCWD, self, (char **)8, environ, 0);
  try("a bad environment", AT_FDCWD, self, argv, (char **)8, 0);
  char *bad[] = {"zero", (char *)8, NULL};
  try("a bad argument", AT_FDCWD, self, bad, environ, 0);
  static char name[5000];
  memset(name, 'n', 4999);
  try("a path that is too long", AT_FDCWD, name, bad, environ, 0);
  name[300] = 0;
  try("a name that is too long", AT_FDCWD, name, argv, environ, 0);
  try("an empty path", AT_FDCWD, "", bad, environ, 0);
  try("below a file", AT_FDCWD, "./data/x", argv, environ, 0);
  symlink("turn-2", "turn-1");
  symlink("turn-1", "turn-2");
  try("links in a circle", AT_FDCWD, "./turn-1", argv, environ, 0);
  try("a directory", AT_FDCWD, "/", argv, environ, 0);
  try("a device", AT_FDCWD, "/dev/null", argv, environ, 0);
  static char large[140000];
  memset(large, 'l', sizeof large - 1);
  char *one[] = {"zero", "count", large, NULL};
  large[131072] = 0;
  try("an argument of 128 KiB and its end", AT_FDCWD, self, one, environ, 0);
  large[131071] = 0;
  try("an argument of 128 KiB", AT_FDCWD, self, one, environ, 0);
  // A quarter of the stack's limit is for arguments and environment: 2 MiB of 8.
  struct rlimit stack = {8 << 20, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &stack);
  char *envp[] = {NULL};
  static char *many[300000];
  large[100000] = 0;
  many[0] = "zero";
  many[1] = "count";
  for (int i = 2; i < 22; i++) many[i] = large;
  try("20 arguments of 100,000 bytes", AT_FDCWD, self, many, envp, 0);
  many[22] = large;
  try("21 arguments of 100,000 bytes", AT_FDCWD, self, many, envp, 0);
  for (int i = 2; i < 299999; i++) many[i] = "";
  try("300,000 empty arguments", AT_FDCWD, self, many, envp, 0);
  many[220000] = NULL;
  try("220,000 empty arguments", AT_FDCWD, self, many, envp, 0);
}

static void handler(int signo) {}

static void *run_from_thread(void *argument) {
  char *argv[] = {"zero", "tell", argument, NULL};
  execv("/proc/self/exe", argv);
  return NULL;
}

static void check_inheritance(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGHUP);
    static char stack[65536];
    stack_t alternate = {stack, 0, sizeof stack};
    sigaltstack(&alternate, NULL);
    prctl(PR_SET_NAME, "another");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    umask(027);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    pthread_t thread;
    pthread_create(&thread, NULL, run_from_thread, pid);
    for (;;) pause();
  }
  int status;
  waitpid(child, &status, 0);
  printf("status %d\n", status);
}

/** What a program sees that a thread has started. */
static int tell(const char *pid) {
  struct sigaction caught, ignored;
  sigaction(SIGUSR1, NULL, &caught);
  sigaction(SIGUSR2, NULL, &ignored);
  sigset_t mask, pending;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  sigpending(&pending);
  stack_t stack;
  sigaltstack(NULL, &stack);
  int signo = -1;
  prctl(PR_GET_PDEATHSIG, &signo);
  printf("the same process: %d, the same thread: %d\n", getpid() == atoi(pid), syscall(SYS_gettid) == getpid());
  printf("caught %d, ignored %d\n", caught.sa_handler == SIG_DFL, ignored.sa_handler == SIG_IGN);
  printf("blocked %d, pending %d\n", sigismember(&mask, SIGHUP), sigismember(&pending, SIGHUP));
  printf("no signal stack: %d\n", stack.ss_flags == SS_DISABLE);
  printf("signal of the parent's death: %d, umask %o\n", signo, umask(0));
  return 0;
}

static void check_busy_text(void) {
  int in = open(self, O_RDONLY);
  int out = open("copy", O_WRONLY | O_CREAT, 0755);
  static char buffer[65536];
  ssize_t n;
  while ((n = read(in, buffer, sizeof buffer)) > 0)
    if (write(out, buffer, n) != n) abort();
  close(in);
  close(out);
  int up[2], down[2];
  pipe(up);
  pipe(down);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    dup2(up[1], 1);
    dup2(down[0], 0);
    close(up[0]);
    close(down[1]);
    char *argv[] = {"copy", "wait", NULL};
    execv("./copy", argv);
    _exit(1);
  }
  read(up[0], buffer, 1);
  int fd = open("copy", O_WRONLY);
  printf("writing to a program that runs: %d %s\n", fd, error_name(errno));
  printf("truncating it: %d %s\n", truncate("copy", 5), error_name(errno));
  fd = open("copy", O_RDONLY);
  printf("reading it: %d\n", fd >= 0);
  printf("renaming it: %d\n", rename("copy", "copied"));
  write(down[1], "x", 1);
  waitpid(child, NULL, 0);
  fd = open("copied", O_WRONLY);
  printf("afterwards: %d\n", fd >= 0);
}

int main(int argc, char **argv) {
  alarm(600);
  if (argc > 2 && strcmp(argv[1], "tell") == 0) return tell(argv[2]);
  if (argc > 1 && strcmp(argv[1], "count") == 0) return printf("  %d arguments\n", argc) < 0;
  if (argc > 1 && strcmp(argv[1], "wait") == 0) return write(1, "x", 1) < 0 || read(0, argv[0], 1) < 0;
  // Anything else is a script's interpreter, shown as it is: nothing below may start all this again.
  if (argc > 1 || strcmp(argv[0], "zero") == 0) return show(argc, argv);
  readlink("/proc/self/exe", self, sizeof self - 1);
  if (mkdtemp(folder) == NULL || chdir(folder) != 0) return 1;
  check_scripts();
  check_descriptors();
  check_elf();
  check_arguments();
  check_inheritance();
  check_busy_text();
  DIR *files = opendir(".");
  for (struct dirent *entry; (entry = readdir(files)) != NULL;) unlink(entry->d_name);
  closedir(files);
  printf("removed: %d\n", rmdir(folder));
  return 0;
}
