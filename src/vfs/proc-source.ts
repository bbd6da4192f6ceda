// SPDX-License-Identifier: MIT
//
// What /proc needs to know of the kernel; the kernel implements it. Values only: all formatting is procfs's.

import type { AddressSpace } from '../mm/address-space.ts';
import type { Dentry } from './dentry.ts';
import type { FdTable } from './fd-table.ts';
import type { FsContext } from './fs-context.ts';
import type { UserMemory } from './open-file.ts';

/** Real, effective, saved and file-system id. */
export type FourIds = readonly [number, number, number, number];

/** A system call in service, or with number -1 another reason to be in the kernel. */
export interface ProcSystemCall {
  readonly number: number;
  readonly args: readonly bigint[];
  readonly stackPointer: bigint;
  readonly instructionPointer: bigint;
}

/** Bytes that calls have moved, and how many such calls there were. */
export interface ProcIo {
  readonly rchar: number;
  readonly wchar: number;
  readonly syscr: number;
  readonly syscw: number;
}

/** Addresses of a program's parts. */
export interface ProcLayout {
  readonly codeStart: number;
  readonly codeEnd: number;
  readonly dataStart: number;
  readonly dataEnd: number;
  readonly brkStart: number;
  readonly stackStart: number;
  readonly arguments: { readonly start: number; readonly length: number };
  readonly environment: { readonly start: number; readonly length: number };
}

/** One task. Everything is read when a file is read, so these may be getters. */
export interface ProcTask {
  readonly tid: number;
  readonly tgid: number;
  readonly ppid: number;
  /** Tid of the tracer, 0 without one. */
  readonly tracerPid: number;
  readonly pgid: number;
  readonly sid: number;
  /** personality(2). */
  readonly personality: number;
  /** comm, Latin-1. */
  readonly name: string;
  readonly state: 'R' | 'S' | 'D' | 'T' | 't' | 'Z';
  readonly uids: FourIds;
  readonly gids: FourIds;
  readonly groups: readonly number[];
  /** Tids of the group, ascending. */
  readonly threads: readonly number[];
  /** Null once the task has ended. */
  readonly mm: AddressSpace | null;
  readonly files: FdTable | null;
  readonly fs: FsContext | null;
  /** The running program's file. */
  readonly exe: Dentry | null;
  /** argv as it now stands in memory, each with its terminating zero. */
  commandLine(): Uint8Array;
  environment(): Uint8Array;
  auxv(): Uint8Array;
  readonly signals: {
    readonly pending: bigint;
    readonly sharedPending: bigint;
    readonly blocked: bigint;
    readonly ignored: bigint;
    readonly caught: bigint;
    readonly queued: number;
    readonly queueLimit: number;
  };
  /** What it does in the kernel; null while it runs. */
  readonly systemCall: ProcSystemCall | null;
  readonly capabilities: {
    readonly inheritable: bigint;
    readonly permitted: bigint;
    readonly effective: bigint;
    readonly bounding: bigint;
    readonly ambient: bigint;
  };
  readonly noNewPrivs: boolean;
  /** 0, 1 for strict, 2 for filters; and how many filters. */
  readonly seccompMode: number;
  readonly seccompFilters: number;
  /** Its memory belongs to its user (PR_SET_DUMPABLE). */
  readonly isDumpable: boolean;
  /** The asking task may look into it (PTRACE_MODE_READ_FSCREDS). */
  readonly mayBeInspected: boolean;
  /** Tids of the processes that this task has made and that are still its children. */
  readonly children: readonly number[];
  /** Its controlling terminal's number and foreground group. */
  readonly tty: { readonly device: number; readonly foreground: number | null } | null;
  /** PF_ bits as /proc/<pid>/stat shows them. */
  readonly processFlags: number;
  readonly policy: number;
  readonly realTimePriority: number;
  /** What SCHED_DEADLINE promises it, in ns; null with any other policy. */
  readonly deadline: { readonly runtime: bigint; readonly deadline: bigint } | null;
  /** Where the program lies. */
  readonly layout: ProcLayout | null;
  /** Wait status of a process that has ended. */
  readonly exitStatus: number;
  readonly hasHugePages: boolean;
  readonly timerSlackNs: number;
  readonly nice: number;
  readonly exitSignal: number;
  readonly startNs: number;
  /** Of the process, and of this task alone. */
  readonly userNs: number;
  readonly taskUserNs: number;
  readonly childUserNs: number;
  readonly minorFaults: number;
  /** Of the process with what has ended of it, and of this task alone. */
  readonly io: ProcIo;
  readonly taskIo: ProcIo;
  /** Virtual time at which it last was on the processor. */
  readonly ranUntilNs: number;
  /** Its memory policy in the words of /proc. */
  readonly memoryPolicy: string;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** By RLIMIT_ number. */
  readonly limits: readonly { readonly soft: bigint; readonly hard: bigint }[];
  readonly oomScoreAdj: number;
  /** prctl(PR_SET_NAME) through /proc/<pid>/comm. */
  setName(name: string): void;
  setOomScoreAdj(value: number): void;
  /** 0: the one that it started with. */
  setTimerSlackNs(value: number): void;
}

/** The kernel as /proc shows it. */
export interface ProcSource {
  /** Tgids of all processes, ascending. */
  processes(): readonly number[];
  /** A task by tid, zombie leaders included. */
  task(tid: number): ProcTask | undefined;
  /** Who asks. */
  readonly currentTgid: number;
  readonly currentTid: number;
  /** The asking task's memory, for ioctl-like accesses. */
  readonly currentMemory: UserMemory | null;
  /** Whether the asking task has a capability (CAP_). */
  isCapable(capability: number): boolean;
  /** uname(2). */
  readonly release: string;
  readonly version: string;
  /** Setting them is sethostname(2) and setdomainname(2). */
  hostname: string;
  domainname: string;
  readonly uptimeNs: number;
  /** How long the processor had something to do. */
  readonly busyNs: number;
  readonly bootTimeSeconds: number;
  readonly memory: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    readonly cachedBytes: number;
    readonly tableBytes: number;
  };
  readonly contextSwitches: number;
  readonly tasksStarted: number;
  /** The number that the newest task was given. */
  readonly lastTid: number;
  /** Pseudo-terminals that there are. */
  readonly terminals: number;
  readonly runningTasks: number;
  readonly allTasks: number;
  readonly pidMax: number;
  /** 2 when new programs lie at random places, else 0. */
  readonly randomizeVaSpace: number;
  readonly maxTasks: number;
  /** Lines of /proc/cpuinfo below `processor`, as the processor's CPUID tells: name and value. */
  readonly cpuInfo: readonly (readonly [string, string])[];
  readonly randomBytes: (into: Uint8Array) => void;
  /** What /proc/sysvipc shows of System V objects. */
  readonly ipc: { segmentsText(): string; semaphoresText(): string; messagesText(): string };
}
