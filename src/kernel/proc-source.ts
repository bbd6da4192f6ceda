// SPDX-License-Identifier: MIT
//
// What /proc shows of the kernel: tasks, machine, names. Formatting is procfs's (src/vfs/proc-*.ts).

import { RLIMIT_SIGPENDING } from '../abi/resource.ts';
import { ADDR_NO_RANDOMIZE } from '../abi/system.ts';
import { CPUID_TABLE } from '../cpu/cpuid.ts';
import { Reg } from '../cpu/regs.ts';
import { PAGE_SIZE } from '../base/addr.ts';
import type { UserMemory } from '../vfs/open-file.ts';
import type { FourIds, ProcSource, ProcSystemCall, ProcTask } from '../vfs/proc-source.ts';
import { SYSTEM_NAME } from './identity.ts';
import { addIo, noIo } from './io-use.ts';
import type { Kernel } from './kernel.ts';
import { PID_MAX, limitNumber } from './limits.ts';
import { hasCap } from './credentials.ts';
import { mayAccess } from './ptrace/access.ts';
import { HANDLER_DEFAULT, HANDLER_IGNORE } from './signals/signal-actions.ts';
import { policyText } from './syscalls/memory-policy.ts';
import type { Task } from './task.ts';
import type { GuestRange } from './thread-group.ts';

const NSIG = 64;
/** Flags of a task: with ASLR; forked and not executed since; ended. */
const PF_RANDOMIZE = 0x40_0000;
const PF_FORKNOEXEC = 0x40;
const PF_GONE = 0xc;
const CALL_ARGUMENTS = [Reg.rdi, Reg.rsi, Reg.rdx, Reg.r10, Reg.r8, Reg.r9] as const;

/** One task; all getters, because files are read at any time. */
class TaskView implements ProcTask {
  readonly #task: Task;

  constructor(task: Task) {
    this.#task = task;
  }

  get tid(): number {
    return this.#task.tid;
  }
  get tgid(): number {
    return this.#task.group.tgid;
  }
  get ppid(): number {
    return this.#task.group.parent?.tgid ?? 0;
  }
  get tracerPid(): number {
    return this.#task.tracee?.tracer.tid ?? 0;
  }
  get pgid(): number {
    return this.#task.group.pgid;
  }
  get sid(): number {
    return this.#task.group.sid;
  }
  get personality(): number {
    return this.#task.group.personality;
  }
  get name(): string {
    return this.#task.name;
  }

  get state(): ProcTask['state'] {
    switch (this.#task.state) {
      case 'ready':
        return 'R';
      case 'blocked':
        return this.#task.request?.killableOnly === true ? 'D' : 'S';
      case 'stopped':
        return 'T';
      case 'traced':
        return 't';
      case 'ended':
        return 'Z';
    }
  }

  get uids(): FourIds {
    const c = this.#task.creds;
    return [c.uid, c.euid, c.suid, c.fsuid];
  }
  get gids(): FourIds {
    const c = this.#task.creds;
    return [c.gid, c.egid, c.sgid, c.fsgid];
  }
  get groups(): readonly number[] {
    return this.#task.creds.groups;
  }
  get threads(): readonly number[] {
    const { tasks, leader } = this.#task.group;
    const tids = tasks.map((t) => t.tid);
    if (!tids.includes(leader.tid)) tids.push(leader.tid);
    return tids.sort((a, b) => a - b);
  }

  get mm(): ProcTask['mm'] {
    return this.#task.state === 'ended' ? null : this.#task.mm;
  }
  get files(): ProcTask['files'] {
    return this.#task.state === 'ended' ? null : this.#task.files;
  }
  get fs(): ProcTask['fs'] {
    return this.#task.state === 'ended' ? null : this.#task.fs;
  }
  get exe(): ProcTask['exe'] {
    return this.#task.state === 'ended' ? null : this.#task.group.exe;
  }

  commandLine(): Uint8Array {
    return this.#guestBytes(this.#task.group.argvRange);
  }
  environment(): Uint8Array {
    return this.#guestBytes(this.#task.group.envpRange);
  }
  #guestBytes(range: GuestRange): Uint8Array {
    if (this.#task.state === 'ended') return new Uint8Array(0);
    const bytes = new Uint8Array(range.length);
    return bytes.subarray(0, this.#task.mm.copyIn(range.start, bytes, true));
  }
  auxv(): Uint8Array {
    return this.#task.state === 'ended' ? new Uint8Array(0) : this.#task.group.auxv;
  }

  get signals(): ProcTask['signals'] {
    const { pending, group, mask } = this.#task;
    let ignored = 0n;
    let caught = 0n;
    for (let signo = 1; signo <= NSIG; signo++) {
      const { handler } = group.actions.get(signo);
      if (handler === HANDLER_IGNORE) ignored |= 1n << BigInt(signo - 1);
      else if (handler !== HANDLER_DEFAULT) caught |= 1n << BigInt(signo - 1);
    }
    const limit = group.limits[RLIMIT_SIGPENDING];
    return {
      pending: pending.set,
      sharedPending: group.pending.set,
      blocked: mask,
      ignored,
      caught,
      queued: pending.size + group.pending.size,
      queueLimit: limit === undefined ? 0 : limitNumber(limit.soft),
    };
  }

  get systemCall(): ProcSystemCall | null {
    const task = this.#task;
    const { regs } = task;
    if (task.state === 'ended' || (task.state === 'ready' && task !== task.kernel.current)) return null;
    const number = task.sysno;
    return {
      number,
      args: CALL_ARGUMENTS.map((reg) => regs.u64[reg] as bigint),
      stackPointer: regs.u64[Reg.rsp] as bigint,
      instructionPointer: regs.u64[Reg.rip] as bigint,
    };
  }

  get capabilities(): ProcTask['capabilities'] {
    return this.#task.creds;
  }
  get noNewPrivs(): boolean {
    return this.#task.noNewPrivs;
  }
  get seccompMode(): number {
    const { seccomp } = this.#task;
    return seccomp === null ? 0 : seccomp === 'strict' ? 1 : 2;
  }
  get seccompFilters(): number {
    const { seccomp } = this.#task;
    return seccomp === null || seccomp === 'strict' ? 0 : seccomp.depth;
  }
  get isDumpable(): boolean {
    return this.#task.group.dumpable === 1;
  }
  get mayBeInspected(): boolean {
    const { current } = this.#task.kernel;
    return current === null || mayAccess(current, this.#task, 'fs');
  }
  get children(): readonly number[] {
    const { tid, group } = this.#task;
    return group.children.filter(({ leader }) => leader.creatorTid === tid).map(({ tgid }) => tgid);
  }
  get tty(): ProcTask['tty'] {
    return this.#task.group.tty;
  }
  get processFlags(): number {
    const { group, kernel, state } = this.#task;
    const isRandom = kernel.options.aslr && (group.personality & ADDR_NO_RANDOMIZE) === 0;
    return (isRandom ? PF_RANDOMIZE : 0) | (group.hasExeced ? 0 : PF_FORKNOEXEC) | (state === 'ended' ? PF_GONE : 0);
  }
  get policy(): number {
    return this.#task.schedPolicy;
  }
  get realTimePriority(): number {
    return this.#task.schedPriority;
  }
  get deadline(): ProcTask['deadline'] {
    return this.#task.deadline;
  }
  get layout(): ProcTask['layout'] {
    const { group, mm, state } = this.#task;
    if (state === 'ended') return null;
    const { brkStart, stackStart } = mm.origins;
    return { ...group.parts, brkStart, stackStart, arguments: group.argvRange, environment: group.envpRange };
  }
  get exitStatus(): number {
    return this.#task.state === 'ended' ? (this.#task.group.exitStatus ?? 0) : 0;
  }
  get hasHugePages(): boolean {
    return !this.#task.group.hasNoHugePages;
  }
  get timerSlackNs(): number {
    return this.#task.timerSlackNs;
  }
  setTimerSlackNs(value: number): void {
    const task = this.#task;
    task.timerSlackNs = value === 0 ? task.defaultTimerSlackNs : value;
  }
  get nice(): number {
    return this.#task.nice;
  }
  get exitSignal(): number {
    return this.#task.group.exitSignal;
  }
  get startNs(): number {
    return this.#task.startNs;
  }
  get userNs(): number {
    return this.#task.group.cpuNs();
  }
  get taskUserNs(): number {
    return this.#task.cpuNs();
  }
  get childUserNs(): number {
    return this.#task.group.childUsage.userNs;
  }
  get minorFaults(): number {
    return 0;
  }
  get io(): ProcTask['io'] {
    const { group } = this.#task;
    const sum = noIo();
    addIo(sum, group.endedIo);
    for (const task of group.tasks) addIo(sum, task.io);
    return sum;
  }
  get taskIo(): ProcTask['taskIo'] {
    return this.#task.io;
  }
  get ranUntilNs(): number {
    const { kernel, ranUntilNs } = this.#task;
    return kernel.current === this.#task ? kernel.clock.now() : ranUntilNs;
  }
  get memoryPolicy(): string {
    return policyText(this.#task.memoryPolicy);
  }
  get voluntarySwitches(): number {
    return this.#task.voluntarySwitches;
  }
  get involuntarySwitches(): number {
    return this.#task.involuntarySwitches;
  }
  get limits(): ProcTask['limits'] {
    return this.#task.group.limits;
  }
  get oomScoreAdj(): number {
    return this.#task.group.oomScoreAdj;
  }
  setName(name: string): void {
    this.#task.name = name;
  }
  setOomScoreAdj(value: number): void {
    this.#task.group.oomScoreAdj = value;
  }
}

/** The kernel as /proc shows it. */
class KernelProcSource implements ProcSource {
  readonly #kernel: Kernel;
  readonly cpuInfo: readonly (readonly [string, string])[] = cpuInfo();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  processes(): readonly number[] {
    return [...this.#kernel.groups.keys()].sort((a, b) => a - b);
  }

  task(tid: number): ProcTask | undefined {
    const task = this.#kernel.task(tid) ?? this.#kernel.groups.get(tid)?.leader;
    return task === undefined ? undefined : new TaskView(task);
  }

  get currentTgid(): number {
    return this.#kernel.current?.group.tgid ?? 0;
  }
  get currentTid(): number {
    return this.#kernel.current?.tid ?? 0;
  }
  get currentMemory(): UserMemory | null {
    return this.#kernel.current?.mm ?? null;
  }
  get release(): string {
    return SYSTEM_NAME.release;
  }
  get version(): string {
    return SYSTEM_NAME.version;
  }
  isCapable(capability: number): boolean {
    const { current } = this.#kernel;
    return current === null || hasCap(current.creds, capability);
  }
  get hostname(): string {
    return this.#kernel.hostname;
  }
  set hostname(name: string) {
    this.#kernel.hostname = name;
  }
  get domainname(): string {
    return this.#kernel.domainname;
  }
  set domainname(name: string) {
    this.#kernel.domainname = name;
  }
  get uptimeNs(): number {
    return this.#kernel.clock.now();
  }
  get busyNs(): number {
    return this.#kernel.clock.busyNs();
  }

  get bootTimeSeconds(): number {
    const { clock } = this.#kernel;
    return Number((clock.realtimeNs() - BigInt(Math.floor(clock.now()))) / 1_000_000_000n);
  }

  get memory(): ProcSource['memory'] {
    const { memory } = this.#kernel;
    const isTold = memory.hiddenArea === null;
    return {
      totalBytes: memory.limitFrames * PAGE_SIZE,
      freeBytes: Math.max(0, memory.limitFrames - memory.toldUsedFrames) * PAGE_SIZE,
      cachedBytes: isTold ? memory.cachedFrames * PAGE_SIZE : 0,
      tableBytes: isTold ? memory.tableFrames * PAGE_SIZE : 0,
    };
  }

  get contextSwitches(): number {
    let sum = 0;
    for (const task of this.#kernel.tasks.values()) sum += task.voluntarySwitches + task.involuntarySwitches;
    return sum;
  }
  get tasksStarted(): number {
    return this.#kernel.tasksStarted;
  }
  get lastTid(): number {
    return this.#kernel.lastTid;
  }
  get terminals(): number {
    return this.#kernel.vfs.terminals.slaves.size;
  }
  get runningTasks(): number {
    let n = 0;
    for (const task of this.#kernel.tasks.values()) if (task.state === 'ready') n++;
    return n;
  }
  get allTasks(): number {
    return this.#kernel.tasks.size;
  }
  get pidMax(): number {
    return PID_MAX;
  }
  get randomizeVaSpace(): number {
    return this.#kernel.options.aslr ? 2 : 0;
  }
  get maxTasks(): number {
    return this.#kernel.options.maxTasks;
  }

  get ipc(): ProcSource['ipc'] {
    return this.#kernel.ipc;
  }

  readonly randomBytes = (into: Uint8Array): void => this.#kernel.fillRandom(into);
}

/** Shows `kernel` to procfs. */
export function procSource(kernel: Kernel): ProcSource {
  return new KernelProcSource(kernel);
}

/** Flags of /proc/cpuinfo by CPUID register and bit, in the order in which Linux prints them. */
const LEAF1_EDX: readonly (readonly [number, string])[] = [
  [0, 'fpu'],
  [3, 'pse'],
  [4, 'tsc'],
  [5, 'msr'],
  [6, 'pae'],
  [8, 'cx8'],
  [13, 'pge'],
  [15, 'cmov'],
  [16, 'pat'],
  [19, 'clflush'],
  [23, 'mmx'],
  [24, 'fxsr'],
  [25, 'sse'],
  [26, 'sse2'],
];
const EXT_EDX: readonly (readonly [number, string])[] = [
  [11, 'syscall'],
  [20, 'nx'],
  [27, 'rdtscp'],
  [29, 'lm'],
];
const LEAF1_ECX: readonly (readonly [number, string])[] = [
  [0, 'pni'],
  [1, 'pclmulqdq'],
  [9, 'ssse3'],
  [13, 'cx16'],
  [19, 'sse4_1'],
  [20, 'sse4_2'],
  [22, 'movbe'],
  [23, 'popcnt'],
  [25, 'aes'],
];
const EXT_ECX: readonly (readonly [number, string])[] = [
  [0, 'lahf_lm'],
  [5, 'abm'],
  [8, '3dnowprefetch'],
];
const LEAF7_EBX: readonly (readonly [number, string])[] = [
  [0, 'fsgsbase'],
  [3, 'bmi1'],
  [8, 'bmi2'],
  [19, 'adx'],
];

/** EAX, EBX, ECX, EDX of a leaf. */
function leaf(number: number): readonly [number, number, number, number] {
  for (let at = 0; at < CPUID_TABLE.length; at += 6) {
    if (CPUID_TABLE[at] !== number) continue;
    return [CPUID_TABLE[at + 2] ?? 0, CPUID_TABLE[at + 3] ?? 0, CPUID_TABLE[at + 4] ?? 0, CPUID_TABLE[at + 5] ?? 0];
  }
  return [0, 0, 0, 0];
}

function text(...words: number[]): string {
  let out = '';
  for (const word of words) for (let i = 0; i < 4; i++) out += String.fromCharCode((word >>> (8 * i)) & 0xff);
  return out.replace(/\0+$/, '');
}

function named(bits: number, names: readonly (readonly [number, string])[]): string[] {
  return names.filter(([bit]) => ((bits >>> bit) & 1) === 1).map(([, name]) => name);
}

/** The lines of /proc/cpuinfo from the same table that CPUID answers from. */
function cpuInfo(): [string, string][] {
  const [, ebx0, ecx0, edx0] = leaf(0);
  const [signature, , ecx1, edx1] = leaf(1);
  const [, ebx7] = leaf(7);
  const [, , ecxE, edxE] = leaf(0x80000001);
  const brand = text(...leaf(0x80000002), ...leaf(0x80000003), ...leaf(0x80000004)).trim();
  const family = (signature >>> 8) & 0xf;
  const model = ((signature >>> 4) & 0xf) | ((signature >>> 12) & 0xf0);
  const flags = [
    ...named(edx1, LEAF1_EDX),
    ...named(edxE, EXT_EDX),
    'constant_tsc',
    'nopl',
    'cpuid',
    ...named(ecx1, LEAF1_ECX),
    ...named(ecxE, EXT_ECX),
    ...named(ebx7, LEAF7_EBX),
  ];
  return [
    ['vendor_id', text(ebx0, edx0, ecx0)],
    ['cpu family', String(family)],
    ['model', String(model)],
    ['model name', brand],
    ['stepping', String(signature & 0xf)],
    ['cpu MHz', '1000.000'],
    ['cache size', '8192 KB'],
    ['physical id', '0'],
    ['siblings', '1'],
    ['core id', '0'],
    ['cpu cores', '1'],
    ['apicid', '0'],
    ['initial apicid', '0'],
    ['fpu', 'yes'],
    ['fpu_exception', 'yes'],
    ['cpuid level', String(leaf(0)[0])],
    ['wp', 'yes'],
    ['flags', flags.join(' ')],
    ['bugs', ''],
    ['bogomips', '2000.00'],
    ['clflush size', '64'],
    ['cache_alignment', '64'],
    ['address sizes', '40 bits physical, 48 bits virtual'],
    ['power management', ''],
  ];
}
