// SPDX-License-Identifier: MIT
//
// System V IPC and POSIX message queues: what the arguments of a command are depends on the command.

import * as I from '../../abi/ipc.ts';
import { O_NONBLOCK } from '../../abi/open.ts';
import { getI64, getU64 } from '../../abi/words.ts';
import { hex } from '../../base/addr.ts';
import { namesOf } from './flags.ts';
import type { FlagTable } from './flags.ts';
import type { GuestMemory, RawArgs } from './kinds.ts';
import { arrayText, bufferText, input, isError, output, printerOf } from './printers.ts';
import type { Call, Printer } from './printers.ts';
import { readStruct } from './reader.ts';
import { pointerText } from './signal-text.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';
import { modeText } from './structs.ts';

const GET_FLAGS: FlagTable = {
  unknown: 'IPC_???',
  entries: [
    ['IPC_CREAT', I.IPC_CREAT],
    ['IPC_EXCL', I.IPC_EXCL],
  ],
};
const SHM_GET_FLAGS: FlagTable = {
  unknown: 'SHM_???',
  entries: [...GET_FLAGS.entries, ['SHM_HUGETLB', I.SHM_HUGETLB], ['SHM_NORESERVE', I.SHM_NORESERVE]],
};
const SHM_FLAGS: FlagTable = {
  unknown: 'SHM_???',
  entries: [
    ['SHM_RDONLY', I.SHM_RDONLY],
    ['SHM_RND', I.SHM_RND],
    ['SHM_REMAP', I.SHM_REMAP],
    ['SHM_EXEC', I.SHM_EXEC],
  ],
};
const SEM_FLAGS: FlagTable = {
  unknown: 'SEM_???',
  entries: [
    ['SEM_UNDO', I.SEM_UNDO],
    ['IPC_NOWAIT', I.IPC_NOWAIT],
  ],
};
const MSG_FLAGS: FlagTable = {
  unknown: 'MSG_???',
  entries: [
    ['MSG_NOERROR', I.MSG_NOERROR],
    ['MSG_EXCEPT', I.MSG_EXCEPT],
    ['MSG_COPY', I.MSG_COPY],
    ['IPC_NOWAIT', I.IPC_NOWAIT],
  ],
};

const COMMON = ['IPC_RMID', 'IPC_SET', 'IPC_STAT', 'IPC_INFO'];

function command(names: Readonly<Record<number, string>>, unknown: string): Printer {
  return input(({ args }, i) => {
    const value = args.uint(i);
    const name = COMMON[value] ?? names[value];
    if (name !== undefined) return name;
    // The bit that tells new structures from old ones is shown by itself.
    const isNew = (value & 0x100) !== 0;
    return `${isNew ? 'IPC_64|' : ''}${hex((value & ~(isNew ? 0x100 : 0)) >>> 0)} /* ${unknown} */`;
  });
}

const SHM_COMMAND = command(
  { 11: 'SHM_LOCK', 12: 'SHM_UNLOCK', 13: 'SHM_STAT', 14: 'SHM_INFO', 15: 'SHM_STAT_ANY' },
  'SHM_???',
);
const SEM_COMMAND = command(
  {
    11: 'GETPID',
    12: 'GETVAL',
    13: 'GETALL',
    14: 'GETNCNT',
    15: 'GETZCNT',
    16: 'SETVAL',
    17: 'SETALL',
    18: 'SEM_STAT',
    19: 'SEM_INFO',
    20: 'SEM_STAT_ANY',
  },
  'SEM_???',
);
const MSG_COMMAND = command({ 11: 'MSG_STAT', 12: 'MSG_INFO', 13: 'MSG_STAT_ANY' }, 'MSG_???');

const KEY = input(({ args }, i) => (args.int(i) === 0 ? 'IPC_PRIVATE' : hex(args.uint(i))));

function getFlags(table: FlagTable): Printer {
  return input(({ args }, i) => {
    const value = args.uint(i);
    const rest = (value & ~0o777) >>> 0;
    return `${rest === 0 ? '' : `${namesOf(rest, table).replace(/ \/\*.*/, '')}|`}${modeText(value & 0o777)}`;
  });
}

function flags(table: FlagTable): Printer {
  return input(({ args }, i) => namesOf(args.uint(i), table));
}

/** The head of a structure: `{uid=0, gid=0, mode=0600, key=0, cuid=0, cgid=0}`, or what IPC_SET changes. */
function permText(v: DataView, isSet: boolean): string {
  const { uid, gid, mode, key, cuid, cgid } = I.IpcPerm;
  const ids = `uid=${v.getUint32(uid, true)}, gid=${v.getUint32(gid, true)}, mode=${modeText(v.getUint32(mode, true))}`;
  if (isSet) return `{${ids}}`;
  return `{${ids}, key=${v.getInt32(key, true)}, cuid=${v.getUint32(cuid, true)}, cgid=${v.getUint32(cgid, true)}}`;
}

function fields(v: DataView, list: readonly (readonly [string, number])[]): string {
  return list.map(([name, at]) => `${name}=${getI64(v, at)}`).join(', ');
}

/** The argument of a command: a structure that it fills or takes, or a pointer. */
function structArgument(size: number, isOutput: boolean, text: (v: DataView) => string): Printer {
  const show = (memory: GuestMemory, addr: number): string => {
    const view = addr === 0 ? undefined : readStruct(memory, addr, size);
    return view === undefined ? pointerText(addr) : text(view);
  };
  return isOutput
    ? output(({ args, memory }, i) => show(memory, args.num(i)))
    : input(({ args, memory }, i) => show(memory, args.num(i)));
}

const POINTER = printerOf('ptr');

function shmctlArgument(args: RawArgs): Printer {
  const { segsz, cpid, lpid, nattch, atime, dtime, ctime } = I.ShmidDs;
  switch (args.int(1)) {
    case I.IPC_STAT:
    case I.SHM_STAT:
    case I.SHM_STAT_ANY:
      return structArgument(I.ShmidDs.size, true, (v) => {
        const head = `shm_perm=${permText(v, false)}, shm_segsz=${getU64(v, segsz)}`;
        const pids = `shm_cpid=${v.getInt32(cpid, true)}, shm_lpid=${v.getInt32(lpid, true)}`;
        const times = fields(v, [
          ['shm_nattch', nattch],
          ['shm_atime', atime],
          ['shm_dtime', dtime],
          ['shm_ctime', ctime],
        ]);
        return `{${head}, ${pids}, ${times}}`;
      });
    case I.IPC_SET:
      return structArgument(I.ShmidDs.size, false, (v) => `{shm_perm=${permText(v, true)}}`);
    case I.IPC_INFO:
      return structArgument(I.Shminfo.size, true, (v) => {
        const names = ['shmmax', 'shmmin', 'shmmni', 'shmseg', 'shmall'];
        return `{${names.map((name, i) => `${name}=${v.getBigUint64(8 * i, true)}`).join(', ')}}`;
      });
    case I.SHM_INFO:
      return structArgument(I.ShmInfo.size, true, (v) => {
        const rest = ['shm_tot', 'shm_rss', 'shm_swp', 'swap_attempts', 'swap_successes'];
        const text = rest.map((name, i) => `${name}=${v.getBigUint64(8 + 8 * i, true)}`).join(', ');
        return `{used_ids=${v.getInt32(0, true)}, ${text}}`;
      });
    default:
      return POINTER;
  }
}

function infoText(v: DataView, names: readonly string[]): string {
  return `{${names.map((name, i) => `${name}=${v.getInt32(4 * i, true)}`).join(', ')}`;
}

const SEMINFO = ['semmap', 'semmni', 'semmns', 'semmnu', 'semmsl', 'semopm', 'semume', 'semusz', 'semvmx', 'semaem'];

function semctlArgument(args: RawArgs): Printer {
  const { otime, ctime, nsems } = I.SemidDs;
  switch (args.int(2)) {
    case I.IPC_STAT:
    case I.SEM_STAT:
    case I.SEM_STAT_ANY:
      return structArgument(I.SemidDs.size, true, (v) => {
        const rest = fields(v, [
          ['sem_otime', otime],
          ['sem_ctime', ctime],
          ['sem_nsems', nsems],
        ]);
        return `{sem_perm=${permText(v, false)}, ${rest}}`;
      });
    case I.IPC_SET:
      return structArgument(I.SemidDs.size, false, (v) => `{sem_perm=${permText(v, true)}}`);
    case I.IPC_INFO:
    case I.SEM_INFO:
      return structArgument(I.Seminfo.size, true, (v) => `${infoText(v, SEMINFO)}}`);
    default:
      return POINTER;
  }
}

const MSGINFO = ['msgpool', 'msgmap', 'msgmax', 'msgmnb', 'msgmni', 'msgssz', 'msgtql'];

function msgctlArgument(args: RawArgs): Printer {
  const { stime, rtime, ctime, qnum, qbytes, lspid, lrpid } = I.MsqidDs;
  switch (args.int(1)) {
    case I.IPC_STAT:
    case I.MSG_STAT:
    case I.MSG_STAT_ANY:
      return structArgument(I.MsqidDs.size, true, (v) => {
        const rest = fields(v, [
          ['msg_stime', stime],
          ['msg_rtime', rtime],
          ['msg_ctime', ctime],
          ['msg_qnum', qnum],
          ['msg_qbytes', qbytes],
        ]);
        const pids = `msg_lspid=${v.getInt32(lspid, true)}, msg_lrpid=${v.getInt32(lrpid, true)}`;
        return `{msg_perm=${permText(v, false)}, ${rest}, ${pids}}`;
      });
    case I.IPC_SET:
      return structArgument(
        I.MsqidDs.size,
        false,
        (v) => `{msg_perm=${permText(v, true)}, msg_qbytes=${getU64(v, qbytes)}}`,
      );
    case I.IPC_INFO:
    case I.MSG_INFO:
      return structArgument(
        I.Msginfo.size,
        true,
        (v) => `${infoText(v, MSGINFO)}, msgseg=${v.getUint16(I.Msginfo.msgseg, true)}}`,
      );
    default:
      return POINTER;
  }
}

const OPERATIONS = input(({ args, memory }, i) =>
  arrayText(memory, args.num(i), args.uint(i + 1), I.Sembuf.size, (v) => {
    const { num, op, flags: flagsAt } = I.Sembuf;
    const names = namesOf(v.getUint16(flagsAt, true), SEM_FLAGS);
    return `{sem_num=${v.getUint16(num, true)}, sem_op=${v.getInt16(op, true)}, sem_flg=${names}}`;
  }),
);

function messageText({ memory }: Call, addr: number, length: number): string {
  const type = readStruct(memory, addr, 8);
  if (type === undefined) return pointerText(addr);
  return `{mtype=${type.getBigInt64(0, true)}, mtext=${bufferText(memory, addr + 8, length)}}`;
}

const MESSAGE_IN = input((call, i) => messageText(call, call.args.num(i), call.args.num(i + 1)));
const MESSAGE_OUT = output((call, i) => messageText(call, call.args.num(i), call.args.num(i + 1)));

const MQ_FLAGS: FlagTable = { unknown: 'O_???', entries: [['O_NONBLOCK', O_NONBLOCK]] };

function attributesText(v: DataView): string {
  const { maxmsg, msgsize, curmsgs } = I.MqAttr;
  const rest = `mq_maxmsg=${getI64(v, maxmsg)}, mq_msgsize=${getI64(v, msgsize)}, mq_curmsgs=${getI64(v, curmsgs)}`;
  return `{mq_flags=${namesOf(getU64(v, 0), MQ_FLAGS)}, ${rest}}`;
}

const ATTRIBUTES_IN = structArgument(I.MqAttr.size, false, attributesText);
const ATTRIBUTES_OUT = structArgument(I.MqAttr.size, true, attributesText);
const PRIORITY_OUT: Printer = {
  exit: ({ args, memory }, i, result) => {
    const view = isError(result) || args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), 4);
    return view === undefined ? pointerText(args.big(i)) : `[${view.getUint32(0, true)}]`;
  },
};

const O_CREAT = 0o100;
const INT = printerOf('int');

export const IPC_SPECIALS: SpecialCalls = {
  shmget: { args: () => [KEY, printerOf('size'), getFlags(SHM_GET_FLAGS)] },
  shmat: { args: () => [INT, POINTER, flags(SHM_FLAGS)] },
  shmctl: { args: (args) => [INT, SHM_COMMAND, shmctlArgument(args)] },
  semget: { args: () => [KEY, INT, getFlags(GET_FLAGS)] },
  semop: { args: () => [INT, OPERATIONS, printerOf('uint')] },
  semtimedop: { args: () => [INT, OPERATIONS, ...kinds('uint', 'in:timespec')] },
  semctl: { args: (args): readonly SpecialArg[] => [INT, INT, SEM_COMMAND, semctlArgument(args)] },
  msgget: { args: () => [KEY, getFlags(GET_FLAGS)] },
  msgsnd: { args: () => [INT, MESSAGE_IN, printerOf('size'), flags(MSG_FLAGS)] },
  msgrcv: { args: () => [INT, MESSAGE_OUT, ...kinds('size', 'long'), flags(MSG_FLAGS)] },
  msgctl: { args: (args) => [INT, MSG_COMMAND, msgctlArgument(args)] },
  mq_open: {
    args: (args) =>
      (args.uint(1) & O_CREAT) === 0
        ? kinds('path', 'flags:open')
        : [...kinds('path', 'flags:open', 'mode'), ATTRIBUTES_IN],
  },
  mq_timedreceive: { args: () => [...kinds('fd', 'outbuf', 'size'), PRIORITY_OUT, printerOf('in:timespec')] },
  mq_getsetattr: { args: () => [printerOf('fd'), ATTRIBUTES_IN, ATTRIBUTES_OUT] },
};
