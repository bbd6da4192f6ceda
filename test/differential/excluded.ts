// SPDX-License-Identifier: MIT
//
// Opcode forms that the differential test leaves out, each with its reason. Data: a form is an iced Code
// name; the first rule that matches counts.

export interface Exclusion {
  /** Matches the form's name. */
  readonly names?: RegExp;
  /** Matches one of the form's CPUID features (iced's names). */
  readonly features?: RegExp;
  readonly reason: string;
}

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    names: /^(Cpuid|Rdtsc|Rdtscp|Rdpmc|Rdpid|Rdpru|Rdrand|Rdseed|Xgetbv|Rdpkru|Wrpkru)/,
    reason: 'result or effect belongs to the processor at hand, not to the architecture',
  },
  {
    names: /_16(_[ER]?CX)?$|^(Call|Jmp)_rel16$|^J\w+_rel16$|^(Call|Jmp)_rm16$|^Retnw/,
    reason:
      'near branch with operand size 16 in 64-bit mode: Intel ignores the prefix, AMD truncates RIP (SDM vol. 2 JMP; APM vol. 3 JMP)',
  },
  {
    names: /^(Call|Jmp)_m16|^Retf|^Iret|^L[fgs]s_/,
    reason: "far transfer or far pointer: reads the host kernel's descriptor table",
  },
  { names: /^Mov_Sreg|^Pop[wq]_[FG]S/, reason: "segment load: reads the host kernel's descriptor table" },
  { names: /^(Lar|Lsl|Verr|Verw)_/, reason: "answers from the host kernel's descriptor table" },
  {
    names: /^(Sgdt|Sidt|Sldt|Str|Smsw)_/,
    reason: 'faults or is emulated by the host kernel where UMIP is on (Linux arch/x86/kernel/umip)',
  },
  {
    names: /^(Sysenter|Sysexit)/,
    reason: 'legal or not in 64-bit mode depends on the vendor; the conformance suite covers it',
  },
  { names: /^Int1$/, reason: 'hypervisors differ in the RIP they report for it; the conformance suite covers it' },
  { names: /^(Sysret|Rsm|Monitor|Mwait)/, reason: "privileged, or enabled for ring 3 by the host's choice" },
  {
    names: /^(F2xm1|Fyl2x|Fyl2xp1|Fptan|Fpatan|Fsin|Fcos|Fsincos)$/,
    reason: 'transcendental: last bits are implementation-specific (SDM vol. 1, 8.3.10)',
  },
  {
    names: /^(Rcp|Rsqrt)[ps]s_/,
    reason: 'approximation within 1.5 * 2^-12, implementation-specific (SDM vol. 2, RCPPS, RSQRTPS)',
  },
  {
    names: /^Reservednop_rm\d+_r\d+_0F0D$/,
    reason: 'register form of 0F 0D: a reserved no-op for Intel, undefined for AMD',
  },
  {
    features:
      /^(VMX|SVM|SKINIT_or_SVM|SMX|SMM|SGX1|OSS|SEV|TDX|INVLPGB|MCOMMIT|RMPQUERY|TSE|FRED|LKGS|WRMSRNS|MSRLIST|UDBG|INVPCID|PCONFIG|HRESET|MONITOR|MONITORX|WBNOINVD|RDPRU|SMAP|UINTR|PCOMMIT)/,
    reason: 'privileged or for hypervisors',
  },
  {
    features: /^(AVX|AVX2|F16C|FMA|AVX512\w*|VAES|VPCLMULQDQ|XOP|TBM|FMA4|KNC\w*|AMX\w*|AVX_\w+)$/,
    reason: 'AVX and later vector extensions: not advertised by the engine',
  },
  {
    features: /^(XSAVE|XSAVEOPT|XSAVEC|XSAVES)$/,
    reason: "XSTATE_BV reports the processor's own in-use tracking (SDM vol. 1, 13.6)",
  },
  {
    features:
      /^(CET_SS|PADLOCK_\w+|RTM|HLE_or_RTM|TSXLDTRK|MPX|SSE4A|D3NOW|D3NOWEXT|CLDEMOTE|CLWB|CLZERO|CLFLUSHOPT|WAITPKG|PTWRITE|SHA|GFNI|MOVDIRI|MOVDIR64B|ENQCMD|SERIALIZE|AESKLE\w*|KL|RAO_INT|PREFETCHITI|PREFETCHWT1|CMPCCXADD|SHA512|SM3|SM4|LWP|PKU)/,
    reason: 'extension that the engine does not advertise',
  },
];

/** Forms that only fault in ring 3. They are compared too, but do not count towards coverage. */
export const PRIVILEGED =
  /^(In|Out)_|^(Ins|Outs)[bwd]_|^(Hlt|Cli|Sti|Clts|Invd|Wbinvd|Swapgs|Rdmsr|Wrmsr)$|^(Lldt|Ltr|Lmsw|Lgdt|Lidt|Invlpg)_|^Mov_(cr|dr)_|^Mov_r64_(cr|dr)$/;
