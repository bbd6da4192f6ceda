// SPDX-License-Identifier: MIT
//
// ELF64 and the auxiliary vector; include/uapi/linux/elf.h, auxvec.h, the x86-64 psABI.

// e_ident
export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const EI_OSABI = 7;
export const EI_NIDENT = 16;
export const ELFCLASS32 = 1;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const ELFDATA2MSB = 2;
export const EV_CURRENT = 1;
export const ELFOSABI_NONE = 0;
export const ELFOSABI_LINUX = 3;

// e_type, e_machine
export const ET_NONE = 0;
export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const ET_CORE = 4;
export const EM_386 = 3;
export const EM_X86_64 = 62;

// p_type
export const PT_NULL = 0x0;
export const PT_LOAD = 0x1;
export const PT_DYNAMIC = 0x2;
export const PT_INTERP = 0x3;
export const PT_NOTE = 0x4;
export const PT_SHLIB = 0x5;
export const PT_PHDR = 0x6;
export const PT_TLS = 0x7;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PT_GNU_STACK = 0x6474e551;
export const PT_GNU_RELRO = 0x6474e552;
export const PT_GNU_PROPERTY = 0x6474e553;

// p_flags
export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

// Sections and symbols, for names in reports
export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_HASH = 5;
export const SHT_DYNAMIC = 6;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_DYNSYM = 11;
export const SHT_GNU_HASH = 0x6ffffff6;
export const SHT_GNU_VERDEF = 0x6ffffffd;
export const SHT_GNU_VERSYM = 0x6fffffff;
export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STT_FILE = 4;
export const STT_TLS = 6;
export const STT_GNU_IFUNC = 10;
export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;

// d_tag, and a flag of version definitions
export const DT_NULL = 0;
export const DT_PLTRELSZ = 2;
export const DT_HASH = 4;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_RELA = 7;
export const DT_RELASZ = 8;
export const DT_STRSZ = 10;
export const DT_SYMENT = 11;
export const DT_SONAME = 14;
export const DT_JMPREL = 23;
export const DT_GNU_HASH = 0x6ffffef5;
export const DT_VERSYM = 0x6ffffff0;
export const DT_VERDEF = 0x6ffffffc;
export const DT_VERDEFNUM = 0x6ffffffd;
export const VER_FLG_BASE = 1;

// .note.gnu.property
export const NT_GNU_PROPERTY_TYPE_0 = 0x5;
export const GNU_PROPERTY_X86_ISA_1_NEEDED = 0xc0008002;
export const GNU_PROPERTY_X86_FEATURE_1_AND = 0xc0000002;
export const GNU_PROPERTY_X86_ISA_1_BASELINE = 0x1;
export const GNU_PROPERTY_X86_ISA_1_V2 = 0x2;
export const GNU_PROPERTY_X86_ISA_1_V3 = 0x4;
export const GNU_PROPERTY_X86_ISA_1_V4 = 0x8;

// a_type
export const AT_NULL = 0;
export const AT_IGNORE = 1;
export const AT_EXECFD = 2;
export const AT_PHDR = 3;
export const AT_PHENT = 4;
export const AT_PHNUM = 5;
export const AT_PAGESZ = 6;
export const AT_BASE = 7;
export const AT_FLAGS = 8;
export const AT_ENTRY = 9;
export const AT_NOTELF = 10;
export const AT_UID = 11;
export const AT_EUID = 12;
export const AT_GID = 13;
export const AT_EGID = 14;
export const AT_PLATFORM = 15;
export const AT_HWCAP = 16;
export const AT_CLKTCK = 17;
export const AT_SECURE = 23;
export const AT_BASE_PLATFORM = 24;
export const AT_RANDOM = 25;
export const AT_HWCAP2 = 26;
export const AT_RSEQ_FEATURE_SIZE = 27;
export const AT_RSEQ_ALIGN = 28;
export const AT_EXECFN = 31;
export const AT_SYSINFO_EHDR = 33;
export const AT_MINSIGSTKSZ = 51;

/** The four magic bytes. */
export const ELF_MAGIC: readonly number[] = [0x7f, 0x45, 0x4c, 0x46];

/** Elf64_Ehdr. */
// prettier-ignore
export const Ehdr = {
  size: 64, ident: 0, type: 16, machine: 18, version: 20, entry: 24, phoff: 32, shoff: 40, flags: 48, ehsize: 52,
  phentsize: 54, phnum: 56, shentsize: 58, shnum: 60, shstrndx: 62,
} as const;
/** Elf64_Phdr. */
// prettier-ignore
export const Phdr = {
  size: 56, type: 0, flags: 4, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40, align: 48,
} as const;
/** Elf64_Shdr. */
// prettier-ignore
export const Shdr = {
  size: 64, name: 0, type: 4, flags: 8, addr: 16, offset: 24, shSize: 32, link: 40, info: 44, addralign: 48, entsize: 56,
} as const;
/** Elf64_Sym. */
export const Sym = { size: 24, name: 0, info: 4, other: 5, shndx: 6, value: 8, symSize: 16 } as const;
/** Elf64_Rela. */
export const Rela = { size: 24, offset: 0, type: 8, symbol: 12, addend: 16 } as const;
/** Relocations that a file without imports needs (psABI 4.4). */
export const R_X86_64_64 = 1;
export const R_X86_64_GLOB_DAT = 6;
export const R_X86_64_JUMP_SLOT = 7;
export const R_X86_64_RELATIVE = 8;
/** Elf64_Dyn. */
export const Dyn = { size: 16, tag: 0, value: 8 } as const;
/** Elf64_Nhdr. */
export const Nhdr = { size: 12, namesz: 0, descsz: 4, type: 8 } as const;
