// SPDX-License-Identifier: MIT
//
// prctl(2) and arch_prctl(2): the arguments of each option.

import * as abi from '../../abi/prctl.ts';
import { enumTable, nameIn } from './enums.ts';
import type { RawArgs } from './kinds.ts';
import { input, output, printerOf, stringText } from './printers.ts';
import type { Call } from './printers.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';

const OPTIONS = enumTable('PR_???', abi, /^PR_(?!SET_VMA_|MCE_KILL_(?!GET)|SET_MM_|CAP_AMBIENT_|SPEC_)/);
const OPTION = input(({ args }, i) => nameIn(OPTIONS, args.int(i)));
const NAME_BYTES = 15;

const DUMPABLE = ['SUID_DUMP_DISABLE', 'SUID_DUMP_USER', 'SUID_DUMP_ROOT'];
const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
];

const CAPABILITY = input(({ args }, i) => {
  const name = CAPABILITIES[args.num(i)];
  return name === undefined ? `0x${args.big(i).toString(16)} /* CAP_??? */` : `CAP_${name}`;
});
const THREAD_NAME = output(({ args, memory }, i) => stringText(memory, args.num(i), NAME_BYTES));
const VMA_NAME = input(({ args, memory }, i) => stringText(memory, args.num(i), 255));

function rest(args: RawArgs): readonly SpecialArg[] {
  switch (args.int(0)) {
    case abi.PR_SET_NAME:
      return [input(({ args: a, memory }, i) => stringText(memory, a.num(i), NAME_BYTES))];
    case abi.PR_GET_NAME:
      return [THREAD_NAME];
    case abi.PR_SET_PDEATHSIG:
      return kinds('signo');
    case abi.PR_GET_PDEATHSIG:
    case abi.PR_GET_CHILD_SUBREAPER:
    case abi.PR_GET_TSC:
    case abi.PR_GET_UNALIGN:
    case abi.PR_GET_ENDIAN:
      return kinds('out:int');
    case abi.PR_GET_TID_ADDRESS:
      return kinds('out:ptr');
    case abi.PR_GET_DUMPABLE:
    case abi.PR_GET_KEEPCAPS:
    case abi.PR_GET_SECCOMP:
    case abi.PR_GET_TIMERSLACK:
    case abi.PR_GET_TIMING:
    case abi.PR_GET_SECUREBITS:
      return [];
    case abi.PR_SET_DUMPABLE:
      return [input(({ args: a }, i) => DUMPABLE[a.int(i)] ?? `0x${a.big(i).toString(16)} /* SUID_DUMP_??? */`)];
    case abi.PR_SET_KEEPCAPS:
    case abi.PR_SET_CHILD_SUBREAPER:
    case abi.PR_SET_TIMERSLACK:
      return kinds('size');
    case abi.PR_CAPBSET_READ:
    case abi.PR_CAPBSET_DROP:
      return [CAPABILITY];
    case abi.PR_SET_NO_NEW_PRIVS:
    case abi.PR_SET_THP_DISABLE:
      return kinds('size', 'hex', 'hex', 'hex');
    case abi.PR_GET_NO_NEW_PRIVS:
    case abi.PR_GET_THP_DISABLE:
      return kinds('hex', 'hex', 'hex', 'hex');
    case abi.PR_SET_VMA:
      return [
        input(({ args: a }, i) =>
          a.big(i) === 0n ? 'PR_SET_VMA_ANON_NAME' : `0x${a.big(i).toString(16)} /* PR_SET_VMA_??? */`,
        ),
        ...kinds('ptr', 'size'),
        VMA_NAME,
      ];
    case abi.PR_SET_PTRACER:
      return kinds('int');
    default:
      return kinds('hex', 'hex', 'hex', 'hex');
  }
}

function prctlResult({ args }: Call, value: number): string | undefined {
  return args.int(0) === abi.PR_GET_DUMPABLE ? `${value} (${DUMPABLE[value] ?? 'SUID_DUMP_???'})` : undefined;
}

export const PRCTL_SPECIALS: SpecialCalls = {
  prctl: { args: (args) => [OPTION, ...rest(args)], result: prctlResult },
  arch_prctl: {
    args: (args) => {
      const code = printerOf('enum:arch_prctl');
      switch (args.int(0)) {
        case abi.ARCH_GET_FS:
        case abi.ARCH_GET_GS:
          return [code, printerOf('out:ptr')];
        case abi.ARCH_SET_FS:
        case abi.ARCH_SET_GS:
          return [code, printerOf('ptr')];
        default:
          return [code, printerOf('hex')];
      }
    },
  },
};
