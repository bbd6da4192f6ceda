// SPDX-License-Identifier: MIT
//
// The opcode forms of iced-x86 that exist in 64-bit mode, sorted into those that are tested, by group, and
// those that are not, by reason.

import {
  Code,
  CodeExt,
  CpuidFeature,
  EncodingKind,
  Instruction,
  MandatoryPrefix,
  MemorySize,
  MemorySizeExt,
  OpCodeOperandKind,
} from 'iced-x86';
import { EXCLUSIONS, PRIVILEGED } from './excluded.ts';

export type Group = 'integer' | 'x87' | 'mmx' | 'sse' | 'privileged';

export interface Form {
  readonly code: number;
  readonly name: string;
  readonly group: Group;
  readonly operands: readonly number[];
  /** Size of the memory operand in bytes (0: none or unknown) and how to fill it. */
  readonly memoryBytes: number;
  readonly memoryKind: 'int' | 'f32' | 'f64' | 'f80' | 'bcd';
  readonly canLock: boolean;
  readonly canRep: boolean;
  readonly canRepne: boolean;
  /** The encoder puts an FWAIT in front: two instructions for a decoder. */
  readonly hasWait: boolean;
  readonly feature: string;
}

export interface ExcludedForm {
  readonly name: string;
  readonly reason: string;
}

function namesOf(table: object): Map<number, string> {
  const names = new Map<number, string>();
  for (const [name, value] of Object.entries(table)) if (typeof value === 'number') names.set(value, name);
  return names;
}

export const CODE_NAMES = namesOf(Code);
const FEATURE_NAMES = namesOf(CpuidFeature);
const MEMORY_NAMES = namesOf(MemorySize);
export const OPERAND_KIND_NAMES = namesOf(OpCodeOperandKind);

/** CPUID features by the names that /proc/cpuinfo uses, for forms that a host may lack. */
const OPTIONAL: ReadonlyMap<string, string> = new Map([
  ['MOVBE', 'movbe'],
  ['POPCNT', 'popcnt'],
  ['LZCNT', 'abm'],
  ['BMI1', 'bmi1'],
  ['BMI2', 'bmi2'],
  ['ADX', 'adx'],
  ['AES', 'aes'],
  ['PCLMULQDQ', 'pclmulqdq'],
  ['SSE3', 'pni'],
  ['SSSE3', 'ssse3'],
  ['SSE4_1', 'sse4_1'],
  ['SSE4_2', 'sse4_2'],
  ['FSGSBASE', 'fsgsbase'],
  ['CMPXCHG16B', 'cx16'],
]);

const BASE = new Set([
  'INTEL8086',
  'INTEL186',
  'INTEL286',
  'INTEL386',
  'INTEL486',
  'X64',
  'CMOV',
  'CX8',
  'MULTIBYTENOP',
  'PAUSE',
  'PREFETCHW',
  'CLFSH',
  'CET_IBT',
  'SYSCALL',
  'MSR',
  'FPU',
  'FPU287',
  'FPU387',
  'FXSR',
  'MMX',
  'SSE',
  'SSE2',
  ...OPTIONAL.keys(),
]);

function groupOf(features: readonly string[], name: string): Group {
  if (PRIVILEGED.test(name)) return 'privileged';
  const first = features[0] ?? '';
  if (first.startsWith('FPU')) return 'x87';
  if (first === 'MMX') return 'mmx';
  if (/^(SSE|SSE2|SSE3|SSSE3|SSE4_1|SSE4_2|AES|PCLMULQDQ|FXSR)$/.test(first))
    return /^Crc32/.test(name) ? 'integer' : 'sse';
  return 'integer';
}

function memoryKindOf(name: string): Form['memoryKind'] {
  if (/Float32/.test(name)) return 'f32';
  if (/Float64/.test(name)) return 'f64';
  if (/Float80/.test(name)) return 'f80';
  return /Bcd/.test(name) ? 'bcd' : 'int';
}

/** Sorts all forms. `advertised` holds the /proc/cpuinfo names that both sides have. */
export function classifyForms(advertised: ReadonlySet<string>): { tested: Form[]; excluded: ExcludedForm[] } {
  const tested: Form[] = [];
  const excluded: ExcludedForm[] = [];
  const probe = new Instruction();
  for (const [code, name] of CODE_NAMES) {
    const info = CodeExt.opCode(code);
    probe.code = code;
    const features = [...probe.cpuidFeatures()].map((f) => FEATURE_NAMES.get(f) ?? '');
    const isVexInteger = info.encoding === EncodingKind.VEX && features.every((f) => f === 'BMI1' || f === 'BMI2');
    if (info.isInstruction && info.mode64) {
      const rule = EXCLUSIONS.find(
        (e) =>
          e.names?.test(name) === true ||
          (e.features !== undefined && features.some((f) => e.features?.test(f) === true)),
      );
      const missing = features.find((f) => OPTIONAL.has(f) && !advertised.has(OPTIONAL.get(f) ?? ''));
      const isKnown = features.every((f) => BASE.has(f)) && (info.encoding === EncodingKind.Legacy || isVexInteger);
      if (rule && !PRIVILEGED.test(name)) excluded.push({ name, reason: rule.reason });
      else if (missing) excluded.push({ name, reason: `${missing} is not advertised by both sides` });
      else if (!isKnown) excluded.push({ name, reason: 'extension that the engine does not advertise' });
      else {
        const memoryName = MEMORY_NAMES.get(info.memorySize) ?? '';
        tested.push({
          code,
          name,
          group: groupOf(features, name),
          operands: Array.from({ length: info.opCount }, (_, i) => info.opKind(i)),
          memoryBytes: MemorySizeExt.size(info.memorySize),
          memoryKind: memoryKindOf(memoryName),
          canLock: info.canUseLockPrefix,
          canRep: info.canUseRepPrefix && info.mandatoryPrefix === MandatoryPrefix.None,
          canRepne: info.canUseRepnePrefix && info.mandatoryPrefix === MandatoryPrefix.None,
          hasWait: info.fwait,
          feature: features.join('+'),
        });
      }
    }
    info.free();
  }
  probe.free();
  return { tested, excluded };
}
