// SPDX-License-Identifier: MIT
//
// What a program can find out about the patching of its own call sites, one line a fact: `fact NUMBER KEY=VALUE...`.
// Runs on Linux, under runsc and in Trapline; nothing in the lines depends on addresses, ids or chance. The numbers are
// those of the facts in guests/README.md. Each fact is found in a child of its own, which starts without a table.

#include "lib/guest.h"

// Call sites as bytes. Each label is a function: rdi, rsi, rdx as they are, the result in rax.
__asm__(
    ".text\n"
    // The number comes from a register: this site is never patched.
    ".balign 64\nraw:\n"
    "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n  mov %r8, %r10\n  mov %r9, %r8\n"
    "  mov 8(%rsp), %r9\n  syscall\n  ret\n"
    ".balign 64\n  nop\nplain_site: .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    // Behind the site: what a jump to its last byte runs on into.
    ".balign 64\n  nop\nlast_byte_site: .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3,0,0,0,0xc3\n"
    ".balign 64\n  nop\nsecond_site: .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    ".balign 64\n  nop\nthird_site: .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    ".balign 64\nr8_site: .byte 0x41,0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    ".balign 64\nrbx_site: .byte 0x48,0xbb,0x01,0x02,0x03,0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    ".balign 64\n.skip 60, 0x90\nline_site: .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    ".balign 4096\n.skip 4092, 0x90\npage_site: .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n"
    ".balign 64\nnumber_sites:\n"
    ".irp n, 39, 102, 186, 110, 14, 24, 96, 500, 1000, 0x40000027\n"
    "  .byte 0x90,0xb8\n  .long \\n\n  .byte 0x0f,0x05,0xc3\n  .balign 16, 0x90\n.endr\n"
    ".balign 64\nmany_sites:\n.rept 300\n  .byte 0xb8,0x27,0,0,0,0x0f,0x05,0xc3\n.endr\n"
    // Calls rdi with rax = rsi and everything else of `registers`, and stores what comes back there.
    ".balign 64\nwith_registers:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  mov %rdx, %rbp\n  mov %rdi, %r12\n  mov %rsi, %rax\n"
    "  mov 0(%rbp), %rcx\n  mov 8(%rbp), %r11\n  mov 16(%rbp), %rdi\n  mov 24(%rbp), %rsi\n  mov 32(%rbp), %rdx\n"
    "  mov 40(%rbp), %r8\n  mov 48(%rbp), %r9\n  mov 56(%rbp), %r10\n  mov 64(%rbp), %rbx\n"
    "  stc\n"
    "  call *%r12\n"
    "  mov %rcx, 0(%rbp)\n  mov %r11, 8(%rbp)\n  mov %rdi, 16(%rbp)\n  mov %rsi, 24(%rbp)\n  mov %rdx, 32(%rbp)\n"
    "  mov %r8, 40(%rbp)\n  mov %r9, 48(%rbp)\n  mov %r10, 56(%rbp)\n  mov %rbx, 64(%rbp)\n"
    "  pushf\n  pop %rcx\n  mov %rcx, 72(%rbp)\n"
    "  pop %r12\n  pop %rbp\n  pop %rbx\n  ret\n");

enum { RCX, R11, RDI, RSI, RDX, R8, R9, R10, RBX, FLAGS, REGISTERS };

i64 raw(i64 number, ...);
i64 with_registers(const void *code, u64 rax, u64 *registers);
extern u8 plain_site[], last_byte_site[], second_site[], third_site[], r8_site[], rbx_site[], line_site[], page_site[];
extern u8 number_sites[], many_sites[];

enum { GETPID = 39, GETUID = 102, RESTART_SYSCALL = 219, MANY = 300, SLOT = 80 };
enum { SYS_open = 2, NUMBERS = 10, NUMBER_STRIDE = 16 };

// Lines.

static char line[1024];
static u64 used;

static void put(const char *text) {
  while (*text != 0 && used < sizeof line) line[used++] = *text++;
}

static void put_number(u64 value) {
  char digits[24];
  int n = 0;
  do digits[n++] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  while (n > 0 && used < sizeof line) line[used++] = digits[--n];
}

static void put_hex(const u8 *bytes, u64 count) {
  for (u64 i = 0; i < count && used + 2 < sizeof line; i++) {
    line[used++] = "0123456789abcdef"[bytes[i] >> 4];
    line[used++] = "0123456789abcdef"[bytes[i] & 15];
  }
}

static void key(const char *name) {
  put(" ");
  put(name);
  put("=");
}

static void put_key(const char *name, const char *value) {
  key(name);
  put(value);
}

static const char *yes(int condition) { return condition ? "yes" : "no"; }

static void begin(u64 number) {
  used = 0;
  put("fact ");
  put_number(number);
}

static void end(void) {
  put("\n");
  raw(SYS_write, 1, line, used, 0, 0, 0);
}

// Sites and the table.

static i64 call(const u8 *site) { return ((i64(*)(void))(u64)site)(); }

static i64 pid(void) { return raw(GETPID, 0, 0, 0, 0, 0, 0); }
static i64 uid(void) { return raw(GETUID, 0, 0, 0, 0, 0, 0); }

static int is_patched(const u8 *site) {
  return site[0] == 0xff && site[1] == 0x24 && site[2] == 0x25 && site[5] == 6 && site[6] == 0;
}

static u64 slot_of(const u8 *site) { return site[3] | (u64)site[4] << 8 | (u64)site[5] << 16; }

static u64 table_start;
static char table_line[128];

// Finds the line of the table in /proc/self/maps.
static int find_table(void) {
  static char text[65536];
  i64 fd = raw(SYS_open, "/proc/self/maps", 0, 0, 0, 0, 0);
  u64 length = 0;
  for (i64 n; length < sizeof text && (n = raw(SYS_read, fd, text + length, sizeof text - length, 0, 0, 0)) > 0;) length += (u64)n;
  raw(SYS_close, fd, 0, 0, 0, 0, 0);
  static const char name[] = "[usertrap]";
  for (u64 start = 0, at = 0; at < length; at++) {
    if (text[at] != '\n') continue;
    u64 size = at - start;
    int is_table = size > sizeof name;
    for (u64 i = 0; is_table && i < sizeof name - 1; i++) is_table = text[at - (sizeof name - 1) + i] == name[i];
    if (is_table && size < sizeof table_line) {
      for (u64 i = 0; i < size; i++) table_line[i] = text[start + i];
      table_line[size] = 0;
      table_start = 0;
      for (const char *c = table_line; *c != '-'; c++) table_start = table_start * 16 + (u64)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
      return 1;
    }
    start = at + 1;
  }
  return 0;
}

static u64 index_of(const u8 *site) { return (slot_of(site) - table_start) / SLOT; }

// Facts.

static void fact1(void) {
  call(plain_site);
  int found = find_table();
  put_key("table", yes(found));
  if (!found) return;
  u64 stop = 0;
  const char *c = table_line;
  while (*c++ != '-') {}
  for (; *c != ' '; c++) stop = stop * 16 + (u64)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
  key("pages");
  put_number((stop - table_start) / 4096);
  put_key("aligned", yes(table_start % 4096 == 0));
  put_key("window", yes(table_start >= 0x60000 && stop <= 0x70000));
  key("rights");
  for (int i = 1; i <= 4; i++) line[used++] = c[i];
  key("offset");
  for (int i = 6; c[i] != ' '; i++) line[used++] = c[i];
}

static void fact2(void) {
  key("before");
  put_hex(plain_site, 7);
  put_key("first", yes(call(plain_site) == pid()));
  int found = find_table();
  put_key("patched", yes(is_patched(plain_site)));
  put_key("in-table", yes(found && slot_of(plain_site) == table_start + SLOT));
  put_key("second", yes(call(plain_site) == pid()));
}

static void fact3(void) {
  call(plain_site);
  put_key("patched", yes(is_patched(plain_site)));
  if (!is_patched(plain_site)) return;
  const u8 *slot = (const u8 *)slot_of(plain_site);
  put_key("pointer", *(const u64 *)slot == (u64)slot + 8 ? "slot+8" : "other");
  put_key("return", *(const u64 *)(slot + 40) == (u64)plain_site + 7 ? "site+7" : "other");
  key("code");
  put_hex(slot + 8, 32);
  put("-");
  put_hex(slot + 48, 32);
}

static void fact4(void) {
  for (int i = 0; i < 12; i++) call(many_sites + 8 * i);
  int found = find_table();
  put_key("table", yes(found));
  if (!found) return;
  const u8 *header = (const u8 *)table_start;
  key("header");
  put_hex(header, 4);
  int rest = 0;
  for (int i = 4; i < SLOT; i++) rest |= header[i];
  put_key("rest", rest == 0 ? "zero" : "other");
}

static void registers_around(const char *path, const u8 *site) {
  u64 registers[REGISTERS] = {0xcccc, 0x1111, 0xd1, 0x51, 0xd2, 0x8888, 0x9999, 0xa0a0, 0xb0b0};
  with_registers(site, GETPID, registers);
  key(path);
  put("rcx:");
  put(registers[RCX] == 0xcccc ? "kept" : registers[RCX] == (u64)site + 7 ? "next" : "other");
  put(",r11:");
  // The flags as the processor saves them: carry as set, the bits that are always one.
  put(registers[R11] == 0x1111 ? "kept" : (registers[R11] & 0x203) == 0x203 ? "flags" : "other");
  put(",others:");
  put(registers[RDI] == 0xd1 && registers[RSI] == 0x51 && registers[RDX] == 0xd2 && registers[R8] == 0x8888 &&
              registers[R9] == 0x9999 && registers[R10] == 0xa0a0 && registers[RBX] == 0xb0b0
          ? "kept"
          : "changed");
  put(",carry:");
  put((registers[FLAGS] & 1) != 0 ? "kept" : "changed");
}

static void fact5(void) {
  registers_around("first", plain_site);
  registers_around("second", plain_site);
}

// Enters a site that has been called at an offset, with a number in rax.
static i64 enter(const u8 *site, int offset, u64 rax) {
  u64 registers[REGISTERS] = {0};
  return with_registers(site + offset, rax, registers);
}

static void put_result(i64 result) {
  key("result");
  if (result == pid()) put("getpid");
  else if (result == uid()) put("getuid");
  else if (result < 0) {
    put("-");
    put_number((u64)-result);
  } else put_number((u64)result);
}

static void fact6(void) {
  call(plain_site);
  put_result(enter(plain_site, 5, GETPID));
}

static void fact7(void) {
  call(plain_site);
  put_result(enter(plain_site, 5, GETUID));
}

static void fact8(void) {
  call(plain_site);
  put_result(enter(plain_site, 5, RESTART_SYSCALL));
}

static void fact9(void) {
  call(last_byte_site);
  put_result(enter(last_byte_site, 6, 0));
}

static void fact10(void) {
  i64 result = enter(plain_site, 5, GETUID);
  put_key("other-number", result == uid() ? "right" : "wrong");
  put_key("patched", yes(is_patched(plain_site)));
  result = enter(second_site, 5, GETPID);
  put_key("own-number", result == pid() ? "right" : "wrong");
  put_key("patched-then", yes(is_patched(second_site)));
}

static void fact11(void) {
  enter(r8_site, 0, GETPID);
  put_key("patched", yes(is_patched(r8_site + 1)));
  u64 registers[REGISTERS] = {[R8] = 0x8888};
  i64 result = with_registers(r8_site, GETPID, registers);
  put_result(result);
  put_key("r8", registers[R8] == 0x27 ? "set" : registers[R8] == 0x8888 ? "stale" : "other");
}

static void fact12(void) {
  enter(rbx_site, 0, GETPID);
  put_key("patched", yes(is_patched(rbx_site + 5)));
  u64 registers[REGISTERS] = {0};
  i64 result = with_registers(rbx_site, GETPID, registers);
  put_result(result);
  u8 low[6];
  for (int i = 0; i < 6; i++) low[i] = (u8)(registers[RBX] >> 8 * (5 - i));
  key("rbx-low");
  put_hex(low, 6);
}

static void copy(u8 *to, const u8 *from, int count) {
  for (int i = 0; i < count; i++) ((volatile u8 *)to)[i] = from[i];
}

static void fact13(void) {
  u8 *pages = (u8 *)raw(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  copy(pages + 4096, plain_site, 8);
  raw(SYS_munmap, pages, 4096, 0, 0, 0, 0);
  int right = 1;
  for (int i = 0; i < 3; i++) right &= call(pages + 4096) == pid();
  put_key("right", yes(right));
  put_key("patched", yes(is_patched(pages + 4096)));
}

static void fact14(void) {
  u8 *code = (u8 *)raw(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  copy(code + 64, plain_site, 8);
  raw(SYS_mprotect, code, 4096, PROT_READ | PROT_EXEC, 0, 0, 0);
  int right = 1;
  for (int i = 0; i < 2; i++) right &= call(page_site) == pid() && call(line_site) == pid() && call(code + 64) == pid();
  put_key("right", yes(right));
  put_key("page-split", yes(is_patched(page_site)));
  put_key("line-split", yes(is_patched(line_site)));
  put_key("read-only", yes(is_patched(code + 64)));
}

static void fact15(void) {
  static const u64 numbers[NUMBERS] = {39, 102, 186, 110, 14, 24, 96, 500, 1000, 0x40000027};
  u64 registers[REGISTERS];
  for (int i = 0; i < NUMBERS; i++) {
    const u8 *site = number_sites + NUMBER_STRIDE * i + 1;
    for (int r = 0; r < REGISTERS; r++) registers[r] = 0;
    with_registers(site, 0, registers);
    key("");
    used--;
    put_number(numbers[i]);
    put("=");
    put(yes(is_patched(site)));
  }
}

static void fact16(void) {
  call(plain_site);
  int found = find_table();
  put_key("table", yes(found));
  if (!found) return;
  u64 last = index_of(plain_site);
  i64 child = raw(SYS_fork, 0, 0, 0, 0, 0, 0);
  if (child == 0) {
    call(second_site);
    raw(SYS_exit_group, (i64)(index_of(second_site) - last), 0, 0, 0, 0, 0);
  }
  int status = 0;
  raw(SYS_wait4, child, &status, 0, 0, 0, 0);
  key("child");
  put("+");
  put_number((u64)(status >> 8) & 0xff);
  put_key("shared", yes(is_patched(second_site)));
  call(third_site);
  key("parent");
  put("+");
  put_number(index_of(third_site) - last);
}

static u64 patch_many(int *right) {
  u64 patched = 0;
  *right = 1;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < MANY; i++) *right &= call(many_sites + 8 * i) == pid();
  }
  for (int i = 0; i < MANY; i++) patched += (u64)is_patched(many_sites + 8 * i);
  return patched;
}

static void fact17(void) {
  int right;
  u64 patched = patch_many(&right);
  put_key("right", yes(right));
  key("patched");
  put_number(patched);
  if (patched == 0 || !find_table()) return;
  static u8 seen[512];
  u64 last = 0;
  for (int i = 0; i < MANY; i++) {
    if (!is_patched(many_sites + 8 * i)) continue;
    u64 index = index_of(many_sites + 8 * i);
    if (index < sizeof seen) seen[index] = 1;
    if (index > last) last = index;
  }
  key("last");
  put_number(last);
  key("skipped");
  int first = 1;
  for (u64 i = 1; i < last; i++) {
    if (seen[i]) continue;
    if (!first) put(",");
    first = 0;
    put_number(i);
  }
}

static void fact18(void) {
  u8 *code = (u8 *)raw(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  u8 original[8];
  copy(original, plain_site, 8);
  copy(code + 64, original, 8);
  call(code + 64);
  copy(code + 64, original, 8);
  put_key("restored", call(code + 64) == pid() ? "right" : "wrong");
  int right;
  patch_many(&right);
  copy(code + 64, original, 8);
  put_key("restored-when-full", call(code + 64) == pid() && right ? "right" : "wrong");
  put_key("patched", yes(is_patched(code + 64)));
}

static void (*const facts[])(void) = {fact1, fact2, fact3, fact4, fact5, fact6, fact7, fact8, fact9,
                                      fact10, fact11, fact12, fact13, fact14, fact15, fact16, fact17, fact18};

int guest_main(void) {
  for (u64 i = 0; i < sizeof facts / sizeof facts[0]; i++) {
    i64 child = raw(SYS_fork, 0, 0, 0, 0, 0, 0);
    if (child == 0) {
      begin(i + 1);
      facts[i]();
      end();
      raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    }
    int status = 0;
    if (raw(SYS_wait4, child, &status, 0, 0, 0, 0) != child) return 1;
    if (status == 0) continue;
    begin(i + 1);
    key("signal");
    put_number((u64)status & 0x7f);
    end();
  }
  return 0;
}
