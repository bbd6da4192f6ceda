// SPDX-License-Identifier: MIT
//
// The Sentry: owns tasks and thread groups, serves syscalls through the table, and runs one task after the other on
// the processor until the first process has ended. Models gVisor pkg/sentry/kernel (kernel.go, task_run.go).

import { EAGAIN, EINTR, ENOSYS, ERESTARTSYS, ERESTART_RESTARTBLOCK } from '../abi/errno.ts';
import { SIGINT, SIGKILL, SIGXCPU } from '../abi/signal.ts';
import { RLIMIT_CPU } from '../abi/resource.ts';
import { TraplineError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { Logger } from '../base/logger.ts';
import type { Prng } from '../base/prng.ts';
import { savable, savedConstants } from '../base/savable.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Reg } from '../cpu/regs.ts';
import { Vdso, type MachineFacts } from '../loader/index.ts';
import type { AddressSpace, PhysicalMemory } from '../mm/address-space.ts';
import type { GuestContext, PlatformEvent, Sentry } from '../platform/sentry.ts';
import type { PlatformApi } from '../platform/platform.ts';
import type { TraceSink } from '../trace/events.ts';
import { EventKind } from '../trace/events.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { Clock } from './clock.ts';
import { CallHistory, isVectorExtension } from './crash-report.ts';
import type { SyscallTracer } from './decode/tracer.ts';
import { unknownCallShape } from './decode/unknown-call.ts';
import type { ProgramImage } from './exec.ts';
import { exitGroup } from './exit.ts';
import { FutexTable } from './futex.ts';
import { IpcNamespace } from './ipc/ipc-namespace.ts';
import type { HostInput } from './host-input.ts';
import { countTransfer } from './io-use.ts';
import { noteDebugException } from './ptrace/debug-registers.ts';
import { stopAtEntry, stopAtExit } from './ptrace/stops.ts';
import { PID_MAX } from './limits.ts';
import { KernelJobs } from './job-control.ts';
import { abortRestartableSequence } from './rseq.ts';
import { Scheduler, SLICE_INSTRUCTIONS } from './scheduler.ts';
import { enforceSeccomp } from './seccomp/enforce.ts';
import { beforeGuestCode } from './signals/delivery.ts';
import { forceSignal } from './signals/force.ts';
import { setMask } from './signals/masks.ts';
import type { SignalInfo } from './signals/siginfo.ts';
import { faultInfo, kernelInfo } from './signals/siginfo.ts';
import { sendSignal } from './signals/send.ts';
import { RunningCaller } from './socket-caller.ts';
import type { SyscallDef, SyscallResult } from './syscalls/table.ts';
import { Args, BLOCKED, REGS_SET, SYSCALL_TABLE_SIZE, TASK_ENDED } from './syscalls/table.ts';
import type { Task } from './task.ts';
import { NO_CALL, Wake } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';
import { TimerQueue } from './timer-queue.ts';

/** How the run as a whole ended. */
export interface RunEnd {
  readonly exit: { readonly code: number } | { readonly signal: number };
  /** Set when not the guest but a limit or a dead end decided. */
  readonly ended?: 'timeout' | 'budget' | 'deadlock' | 'output' | 'stopped';
}

export interface KernelOptions {
  readonly cpu: Cpu;
  readonly host: Host;
  readonly hostInput: HostInput;
  readonly prng: Prng;
  readonly trace: TraceSink;
  readonly logger: Logger;
  readonly table: readonly (SyscallDef | undefined)[];
  readonly entropy: boolean;
  /** New programs lie at random places. */
  readonly aslr: boolean;
  /** Tasks alive at once. */
  readonly maxTasks: number;
  /** Host milliseconds; Infinity for none. */
  readonly timeoutMs: number;
  readonly maxInstructions: number;
  /** Turns end and timers fire at calls, so that runs in different patch modes take the same course. */
  readonly comparable: boolean;
  /** arch_prctl(ARCH_SET_GS, ARCH_GET_GS) fails with EINVAL, as in gVisor (sys_tls_amd64.go:48-52). */
  readonly refusesGs: boolean;
  /** Physical memory, for sysinfo. */
  readonly memoryBytes: number;
  makePlatform(sentry: Sentry): PlatformApi;
  /** The first instruction in `code` as text. */
  disassemble(code: Uint8Array, address: number): string;
  readonly memory: PhysicalMemory;
  /** What CPUID tells, for the auxiliary vector. */
  readonly machine: MachineFacts;
  /** Null when nobody records syscalls. */
  readonly tracer: SyscallTracer | null;
  readonly vfs: Vfs;
  /** Made before the kernel, because the file systems need it, too. */
  readonly clock: Clock;
}

const DEBUG_EXCEPTION = 1;
const INVALID_OPCODE = 6;
/** Stands for a call that a tracer took away. */
const SKIPPED_CALL: SyscallDef = { nr: -1, name: 'skipped', args: [], call: () => REGS_SET };
/** Where tids start again after the highest one, as Linux leaves the low ones to what started early. */
const FIRST_TID_AGAIN = 300;
/** Unknown numbers that are named, and other warnings that a guest can cause again and again. */
const MAX_WARNINGS = 100;
/** In a comparable run: instructions after a task's last call at which its turn may end all the same. */
const QUIET_INSTRUCTIONS = 500_009;
/** Host milliseconds of guest code between two looks at the outside world. */
const BREATH_MS = 20;
/** Host milliseconds between two looks at a reader that is slow. */
const OUTPUT_WAIT_MS = 5;
/** The longest single wait for the host, so that limits are noticed. */
const MAX_WAIT_MS = 50;

export class Kernel implements Sentry {
  readonly cpu: Cpu;
  readonly host: Host;
  readonly prng: Prng;
  readonly trace: TraceSink;
  readonly logger: Logger;
  readonly options: KernelOptions;
  readonly clock: Clock;
  readonly timers = new TimerQueue();
  readonly scheduler = new Scheduler();
  readonly futexes = new FutexTable();
  readonly ipc: IpcNamespace;
  readonly history = new CallHistory();
  readonly platform: PlatformApi;
  readonly tracer: SyscallTracer | null;
  readonly vfs: Vfs;
  readonly memory: PhysicalMemory;
  readonly vdso: Vdso;

  /** All tasks that have a tid, zombie leaders included. */
  readonly tasks = new Map<number, Task>();
  /** All groups that are not reaped. */
  readonly groups = new Map<number, ThreadGroup>();
  /** The first process. */
  init: ThreadGroup | null = null;
  current: Task | null = null;
  hostname = 'trapline';
  domainname = '(none)';
  /** Called when a signal's default action is about to end a process: for the crash report. */
  onFatalSignal: ((task: Task, info: SignalInfo, dumpsCore: boolean) => void) | null = null;
  /** Tasks ever made, for metrics. */
  tasksStarted = 0;
  signalsDelivered = 0;
  /** What all seccomp filters take, in instructions. */
  filterSize = 0;

  private readonly table: readonly (SyscallDef | undefined)[];
  private readonly args: Args;
  private readonly input: HostInput;
  private readonly random: Prng;
  private readonly spaces = new Map<
    AddressSpace,
    { users: number; image: ProgramImage | null; readonly number: number }
  >();
  private spacesMade = 0;
  private readonly unknown = new Map<number, SyscallDef>();
  /** The number that the newest task was given. */
  lastTid = 0;
  private nextTid = 1;
  /** The highest tid ever given. */
  private highestTid = 0;
  /** The run of guest code must come back to the loop: another task, a nearer timer, the end. */
  private leave = false;
  private breathDue = false;
  /** The task whose turn the host has interrupted, */
  private interrupted: Task | null = null;
  /** whether its signals waited for its stub's code then, */
  private didWait = false;
  /** that it goes on, and that they go on waiting. */
  private goesOn = false;
  private isPutOff = false;
  /** The host has not taken all output: it comes first. */
  private outputDue = false;
  /** A signal from outside has come. */
  private isSignalled = false;
  private saidVector = false;
  private saidMemory = false;
  private guestWarnings = 0;
  private end: RunEnd | null = null;
  private timeLimitMs = Infinity;
  private lastBreathMs = 0;
  // In a comparable run timers and turns are looked at only where all patch modes are at the same instruction:
  /** the processor's count at the last call, */
  private lastCallAt = 0;
  /** the one at which the next call is such a place, */
  private lookBy = 0;
  /** and whether the run of guest code ended where another mode's may not have. */
  private mayNotLook = false;
  private instructionLimit = Infinity;
  private nextTimer = Infinity;
  /** Instruction count at which the run comes to rest between two tasks, and what is done then. */
  private pauseAt = Infinity;
  private onPause: () => void = () => undefined;

  constructor(options: KernelOptions) {
    this.options = options;
    this.cpu = options.cpu;
    this.host = options.host;
    this.prng = options.prng;
    this.trace = options.trace;
    this.logger = options.logger;
    this.tracer = options.tracer;
    this.vfs = options.vfs;
    this.memory = options.memory;
    this.ipc = new IpcNamespace(
      () => ({ pid: this.current?.group.tgid ?? 0, now: this.clock.seconds }),
      () => this.current?.group ?? null,
      options.vfs,
    );
    this.random = options.prng.stream('guest');
    this.table = options.table;
    this.input = options.hostInput;
    this.clock = options.clock;
    this.vfs.terminals.jobs = new KernelJobs(this);
    this.vdso = new Vdso(options.clock.bootRealtimeNs);
    this.args = new Args(options.cpu.regs);
    this.platform = options.makePlatform(this);
    this.vfs.unix.caller = new RunningCaller(() => this.current);
    this.input.onStalled = () => {
      this.outputDue = true;
      this.leave = true;
    };
  }

  // ---- tasks and address spaces

  /** A tid that is not in use, `wanted` if that is given, or -EAGAIN when there are too many tasks. */
  allocateTid(wanted?: number): number {
    if (this.tasks.size >= this.options.maxTasks) return -EAGAIN;
    const next = (id: number): number => (id + 1 < PID_MAX ? id + 1 : FIRST_TID_AGAIN);
    let tid = wanted ?? this.nextTid;
    while (wanted === undefined && !this.isFreeTid(tid)) tid = next(tid);
    if (wanted === undefined) this.nextTid = next(tid);
    this.lastTid = tid;
    this.highestTid = Math.max(this.highestTid, tid);
    return tid;
  }

  /** No task, process group or session has the number. */
  isFreeTid(tid: number): boolean {
    return !this.tasks.has(tid) && !this.groups.has(tid) && !this.isGroupId(tid);
  }

  /** A process group or session outlives its leader: its number must not come again meanwhile. */
  private isGroupId(id: number): boolean {
    if (id > this.highestTid) return false;
    for (const group of this.groups.values()) if (group.pgid === id || group.sid === id) return true;
    return false;
  }

  task(tid: number): Task | undefined {
    return this.tasks.get(tid);
  }

  /** One task more uses the address space. */
  retainSpace(mm: AddressSpace): void {
    const record = this.spaces.get(mm);
    if (record === undefined) this.spaces.set(mm, { users: 1, image: null, number: ++this.spacesMade });
    else record.users++;
  }

  /** One task less; the last one frees it. */
  releaseSpace(mm: AddressSpace): void {
    const record = this.spaces.get(mm);
    if (record === undefined || --record.users > 0) return;
    this.spaces.delete(mm);
    this.trace.emit(EventKind.spaceEnded, this.current?.tid ?? 0, record.number);
    this.platform.dropSpace(mm);
    mm.release();
    if (record.image !== null) {
      record.image.file.inode.deniesWrite--;
      record.image.file.release();
    }
  }

  spaceUsers(mm: AddressSpace): number {
    return this.spaces.get(mm)?.users ?? 0;
  }

  /** What traces call an address space: counted from 1, in the order of their making. */
  spaceNumber(mm: AddressSpace): number {
    return this.spaces.get(mm)?.number ?? 0;
  }

  /** The program that an address space runs: its file cannot be written meanwhile. */
  programImage(mm: AddressSpace): ProgramImage | null {
    return this.spaces.get(mm)?.image ?? null;
  }

  /** Takes over the caller's reference to the file. */
  setProgramImage(mm: AddressSpace, image: ProgramImage): void {
    const record = this.spaces.get(mm);
    if (record === undefined) return;
    record.image = image;
    image.file.inode.deniesWrite++;
  }

  /** A forked address space runs what its parent runs. */
  inheritProgramImage(parent: AddressSpace, child: AddressSpace): void {
    const image = this.programImage(parent);
    if (image === null) return;
    image.file.retain();
    this.setProgramImage(child, image);
  }

  /** getrandom and AT_RANDOM: from the seed, or from the host with `--entropy`. */
  fillRandom(into: Uint8Array): void {
    if (this.options.entropy) this.host.entropy(into);
    else this.random.fill(into);
  }

  /** The run ends with this. The first call counts. */
  finish(end: RunEnd): void {
    this.end ??= end;
    this.leave = true;
  }

  get isFinished(): boolean {
    return this.end !== null;
  }

  /** Makes the run of guest code return to the scheduler after the current syscall. */
  leaveGuest(): void {
    this.leave = true;
  }

  // ---- syscalls

  /** Sentry: serves one syscall, usually inside the run of guest code. */
  syscall(ctx: GuestContext, sysno: number): boolean {
    // Only tasks are ever attached to the platform.
    const task = ctx as Task;
    const args = this.args;
    args.regs = task.regs;
    task.sysno = sysno;
    if (this.options.comparable) this.lastCallAt = this.cpu.instructions;
    this.history.enter(task.tid, sysno, task.regs.get(Reg.rip));
    return this.complete(task, task.tracee?.stopsAtEntry === true ? stopAtEntry(task.tracee) : this.serve(task));
  }

  /** Makes the call that a tracer was told of by a filter, as the tracer has left it. */
  serveTraced(task: Task): SyscallResult {
    return this.serve(task, true);
  }

  /** Makes the call at whose entry a tracer has stopped the task. */
  serveEntered(task: Task): SyscallResult {
    return this.serve(task);
  }

  /** Makes the call in service, which its filter's listener lets pass. */
  serveAllowed(task: Task): SyscallResult {
    return task.call === null ? -ENOSYS : task.call.call(task, this.args);
  }

  /** Makes the call whose number is in `task.sysno`. */
  private serve(task: Task, isTraced = false): SyscallResult {
    const args = this.args;
    const { sysno } = task;
    if (sysno === NO_CALL) return this.skipCall(task);
    const def = (sysno < SYSCALL_TABLE_SIZE ? this.table[sysno] : undefined) ?? this.unknownCall(sysno);
    const isKnown = task.call === def;
    if (task.call !== null && !isKnown) this.traceUnfinished(task);
    task.call = def;
    if (this.tracer !== null && !isKnown) {
      this.tracer.enter(task.tid, def, args, task.mm, task.regs.get(Reg.rip), this.platform.isPatchedCall);
    }
    if (task.seccomp !== null) {
      const refusal = enforceSeccomp(task, sysno, isTraced);
      if (refusal !== null) return refusal;
    }
    return def.call(task, args);
  }

  /** A tracer wants the call not to be made: rax is what the tracer has put there. */
  skipCall(task: Task): SyscallResult {
    this.traceUnfinished(task);
    task.call = SKIPPED_CALL;
    return REGS_SET;
  }

  /** Takes the result of a call; true when the task goes on without a look at anything else. */
  private complete(task: Task, result: SyscallResult): boolean {
    if (typeof result === 'number') {
      if (this.tracer !== null) this.traceExit(task, task.isKilled ? Number.NaN : result);
      task.call = null;
      this.history.exit(task.tid, result);
      countTransfer(task, result);
      task.regs.set(Reg.rax, result);
      if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK) {
        task.restartError = result;
        task.attention = true;
      } else if (task.savedMask !== null && result !== -EINTR) {
        // A call with a mask of its own that was not interrupted: its mask decides nothing any more.
        setMask(task, task.savedMask);
        task.savedMask = null;
      }
      if (task.tracee !== null && stopAtExit(task.tracee)) return false;
      if (this.timers.next() < this.nextTimer) return false;
      if (this.options.comparable && this.isLookDue()) return false;
      return !task.attention && !this.leave;
    }
    if (result === BLOCKED) {
      this.sleep(task);
      return false;
    }
    if (result === TASK_ENDED) return false;
    const wasCall = task.call !== null;
    if (this.tracer !== null && task.call !== SKIPPED_CALL) this.traceExit(task, task.regs.getSigned(Reg.rax));
    task.call = null;
    if (wasCall && task.tracee !== null && stopAtExit(task.tracee)) return false;
    return !task.attention && !this.leave;
  }

  private traceExit(task: Task, result: number): void {
    this.args.regs = task.regs;
    if (task.call !== null) this.tracer?.exit(task.tid, task.call, this.args, task.mm, result);
  }

  /** Records that a call never returned. */
  traceUnfinished(task: Task): void {
    if (task.call !== null && this.tracer !== null) this.traceExit(task, Number.NaN);
    task.call = null;
  }

  /** A row that answers ENOSYS, and the warning that a number without one of its own gets once. */
  private unknownCall(sysno: number): SyscallDef {
    const known = this.unknown.get(sysno);
    if (known !== undefined) return known;
    const shape = unknownCallShape(sysno);
    const call = (task: Task): number => {
      this.trace.emit(EventKind.unimplemented, task.tid, sysno, task.regs.get(Reg.rip));
      return -ENOSYS;
    };
    const def: SyscallDef = { ...shape, call };
    if (this.unknown.size < MAX_WARNINGS) {
      this.unknown.set(sysno, def);
      this.logger.warn(`syscall ${sysno} (${shape.name}) is not implemented: it fails with ENOSYS`);
    }
    return def;
  }

  // ---- sleeping

  private sleep(task: Task): void {
    const { request } = task;
    if (request === null) throw new TraplineError('INVARIANT', 'internal error: a task sleeps without a request');
    // Only its tracer ends this sleep.
    if (task.state === 'traced') return;
    task.state = 'blocked';
    task.woken = 0;
    task.voluntarySwitches++;
    this.trace.emit(EventKind.taskBlocked, task.tid, task.sysno, request.deadlineNs ?? -1);
    for (const source of request.queues) source.queue.add(task, source.mask);
    if (request.deadlineNs !== undefined) this.timers.set(task.sleepTimer, request.deadlineNs);
    // A signal that came before the sleep must end it too.
    if (task.attention) task.alertIfSignalled();
  }

  /** Takes a task off its queues. */
  endSleep(task: Task): void {
    const { request } = task;
    if (request === null) return;
    for (const source of request.queues) source.queue.remove(task);
    this.timers.cancel(task.sleepTimer);
  }

  /** The task's sleep is over: gets its result, or lets it sleep on. */
  private wakeUp(task: Task): void {
    const { request, woken } = task;
    if (request === null) return;
    this.endSleep(task);
    task.request = null;
    const timedOut = (woken & Wake.event) === 0 && (woken & Wake.timeout) !== 0;
    this.args.regs = task.regs;
    let result = request.retry(timedOut);
    const again = task.request as typeof request | null;
    if (result === BLOCKED && again !== null && (woken & Wake.signal) !== 0 && task.hasSignal()) {
      task.request = null;
      again.onCancel?.();
      result = again.interrupted ?? -ERESTARTSYS;
      task.restart = result === -ERESTART_RESTARTBLOCK ? again : null;
    }
    this.complete(task, result);
  }

  /** restart_syscall(2). */
  restartSyscall(task: Task): SyscallResult {
    const { restart } = task;
    task.restart = null;
    return restart?.restart?.() ?? -EINTR;
  }

  // ---- the loop

  /**
   * Calls `onPause` at the first scheduling point at or after an instruction count: all tasks are at rest then, and their
   * registers and memory are what they go on with. Nothing of it shows to guests.
   */
  pause(atInstruction: number, onPause: () => void): void {
    this.onPause = onPause;
    this.pauseAt = atInstruction;
    // The host's interruptions show nowhere, wherever they come.
    this.cpu.interruptAt(atInstruction);
  }

  private rest(): void {
    this.pauseAt = Infinity;
    this.cpu.interruptAt(Infinity);
    this.platform.rest();
    this.clock.rest();
    this.onPause();
  }

  /** Runs until the first process has ended, or a limit does it. */
  async run(): Promise<RunEnd> {
    this.timeLimitMs = this.host.monotonicMs() + this.options.timeoutMs;
    this.instructionLimit = this.cpu.instructions + this.options.maxInstructions;
    this.cpu.armWatchdog(BREATH_MS);
    try {
      while (this.end === null) {
        if (this.cpu.instructions >= this.pauseAt) this.rest();
        const task = this.scheduler.next();
        if (task === undefined) await this.idle();
        else this.runTask(task);
        if (this.outputDue) {
          this.isSignalled = false;
          await this.drainOutput();
        }
        if (this.breathDue) await this.breathe();
      }
      if (this.end.ended === undefined) await this.drainOutput();
    } finally {
      this.cpu.armWatchdog(0);
    }
    return this.end;
  }

  private runTask(task: Task): void {
    const { cpu, platform } = this;
    if (this.current !== task || task.request !== null) {
      this.trace.emit(EventKind.contextSwitch, task.tid, this.current?.tid ?? 0, this.scheduler.waiting);
    }
    if (this.current !== task) {
      this.current = task;
      if (task.rseqAddr !== 0) abortRestartableSequence(task);
    }
    task.turnStart = cpu.instructions;
    if (task.sliceEnd === 0) task.sliceEnd = task.turnStart + SLICE_INSTRUCTIONS;
    this.leave = false;
    if (task.request !== null) this.wakeUp(task);
    // What such a task's signals wait for is not the host's interruption.
    this.goesOn = this.interrupted === task;
    this.isPutOff = this.goesOn && this.didWait;
    this.interrupted = null;
    // A sleep that a waiting signal ended at once has put the task into the queue: its turn is over all the same.
    while (task.state === 'ready' && task.request === null && this.end === null) {
      if (task.attention && !this.isPutOff && !beforeGuestCode(task)) break;
      const budget = this.budget(task);
      if (budget <= 0) break;
      this.leave = false;
      this.isPutOff = this.goesOn = false;
      if (!this.handle(task, platform.switchTo(task, budget))) break;
      const rests = this.outputDue || cpu.instructions >= this.pauseAt;
      if (rests && task.state === 'ready' && task.request === null) {
        this.scheduler.putBack(task);
        break;
      }
    }
    if (task.turnStart >= 0) {
      task.cpuBefore += cpu.instructions - task.turnStart;
      task.turnStart = -1;
      task.ranUntilNs = this.clock.now();
    }
  }

  /** In a comparable run: something is due that would otherwise have ended the run of guest code in its midst. */
  private isLookDue(): boolean {
    return this.cpu.instructions >= this.lookBy || this.timers.next() <= this.clock.now();
  }

  /** Instructions until the next thing that must happen; 0 when the task's turn is over. */
  private budget(task: Task): number {
    const { instructions } = this.cpu;
    if (instructions >= this.instructionLimit) {
      this.finish({ exit: { signal: SIGKILL }, ended: 'budget' });
      return 0;
    }
    if (this.options.comparable && this.mayNotLook) {
      // A turn that goes on ends where it would have ended.
      const left = this.goesOn ? Infinity : this.lastCallAt + QUIET_INSTRUCTIONS - instructions;
      if (left > 0) return Math.min(left, this.instructionLimit - instructions);
    }
    const now = this.clock.now();
    if (this.timers.next() <= now) this.timers.fireDue(now);
    const { group } = task;
    const cpuLeft = group.timers.cpuTimeLeft(group);
    // Timers may have sent signals.
    if (task.attention && !this.isPutOff && !beforeGuestCode(task)) return 0;
    if (instructions >= task.sliceEnd) {
      if (this.scheduler.waiting > 0) {
        task.involuntarySwitches++;
        this.scheduler.requeue(task);
        return 0;
      }
      task.sliceEnd = instructions + SLICE_INSTRUCTIONS;
    }
    this.nextTimer = this.timers.next();
    if (this.options.comparable) {
      this.lookBy = Math.min(task.sliceEnd, instructions + QUIET_INSTRUCTIONS);
      return Math.min(QUIET_INSTRUCTIONS, this.instructionLimit - instructions);
    }
    const untilTimer = this.clock.isWall ? Infinity : this.nextTimer - now;
    return Math.max(
      1,
      Math.min(task.sliceEnd - instructions, this.instructionLimit - instructions, untilTimer, cpuLeft),
    );
  }

  /** Deals with the end of a run of guest code; false when the task's turn is over. */
  private handle(task: Task, event: PlatformEvent): boolean {
    // The kernel was not entered by a call: nothing is restarted, and a tracer sees no number.
    if (event.kind !== 'syscall') task.sysno = NO_CALL;
    switch (event.kind) {
      case 'syscall':
      case 'budget':
        this.mayNotLook = event.kind === 'budget';
        return true;
      case 'preempted':
        this.mayNotLook = true;
        task.involuntarySwitches++;
        this.scheduler.requeue(task);
        return false;
      case 'interrupted':
        this.mayNotLook = true;
        this.breathDue = true;
        this.interrupted = task;
        this.didWait = task.attention;
        this.scheduler.putBack(task);
        return false;
      case 'fault': {
        const { signo, code, addr, trapno, errorCode } = event;
        if (trapno === INVALID_OPCODE) this.noteVectorExtension(task);
        if (signo === SIGKILL) this.noteOutOfMemory();
        if (trapno === DEBUG_EXCEPTION) noteDebugException(task, event.debugStatus);
        const detail = { trapno, error: errorCode, cr2: trapno === 14 ? BigInt(addr) : 0n };
        forceSignal(task, faultInfo(signo, code, BigInt(addr), detail));
        return true;
      }
      case 'stub-panic':
        this.warnOfGuest(
          `systrap's own code found its records broken (code 0x${event.code.toString(16)}): the process is killed`,
        );
        exitGroup(task, SIGKILL);
        return false;
    }
  }

  /** A warning about what a guest did: the log must not grow as long as it goes on. */
  warnOfGuest(message: string): void {
    if (this.guestWarnings++ < MAX_WARNINGS) this.logger.warn(message);
  }

  /** A page could not be given: the process is killed, as Linux's out-of-memory killer does. */
  private noteOutOfMemory(): void {
    if (this.saidMemory) return;
    this.saidMemory = true;
    const mib = Math.floor(this.options.memoryBytes / 2 ** 20);
    this.logger.warn(`the guest's memory of ${mib} MiB is used up: a process is killed; --memory gives more`);
  }

  /** Says once which instruction wanted a processor that this is not. */
  private noteVectorExtension(task: Task): void {
    const code = new Uint8Array(15);
    const rip = task.regs.get(Reg.rip);
    const length = task.mm.copyIn(rip, code, true);
    if (this.saidVector || !isVectorExtension(code.subarray(0, length))) return;
    this.saidVector = true;
    const text = this.options.disassemble(code.subarray(0, length), rip);
    this.logger.warn(`the program executed "${text}" at 0x${rip.toString(16)}: this engine has no AVX`);
  }

  /** The running task gives up the rest of its slice. */
  yieldCurrent(task: Task): void {
    task.sliceEnd = 1;
    this.leave = true;
  }

  // ---- the outside world

  /** No task can run: time passes, or the host must give something. */
  private async idle(): Promise<void> {
    const next = this.timers.next();
    const waitsForHost = this.input.waiting > 0;
    if (next === Infinity && !waitsForHost) {
      this.logger.warn('every task waits for something that cannot happen any more: the run ends here');
      this.finish({ exit: { signal: SIGKILL }, ended: 'deadlock' });
      return;
    }
    const now = this.clock.now();
    // With nobody waiting for the host, sleeping costs nothing; with somebody, the host must have its chance.
    if (!waitsForHost && !this.clock.isWall) {
      this.clock.jumpTo(next);
      this.timers.fireDue(this.clock.now());
      // Timers may fire for ever without anybody waking up: Ctrl-C and the time limit must be noticed here, too.
      if (this.host.monotonicMs() - this.lastBreathMs >= BREATH_MS) await this.breathe();
      return;
    }
    if (next <= now) {
      this.timers.fireDue(now);
      return;
    }
    const waitMs = Math.max(1, Math.min((next - now) / 1e6, MAX_WAIT_MS));
    const startMs = this.host.monotonicMs();
    await this.input.waitOrSleep(waitMs);
    const passedNs = Math.floor((this.host.monotonicMs() - startMs) * 1e6);
    if (!this.clock.isWall && this.scheduler.waiting === 0) this.clock.jumpTo(Math.min(now + passedNs, next));
    this.timers.fireDue(this.clock.now());
    await this.breathe();
  }

  /** Waits until the host has taken all output, the time is over, or a signal from outside makes guests run on. */
  private async drainOutput(): Promise<void> {
    while (!this.input.flush() && !this.isSignalled) {
      await this.host.sleep(OUTPUT_WAIT_MS);
      await this.breathe();
      if (this.end?.ended !== undefined || this.host.monotonicMs() >= this.timeLimitMs) break;
    }
    this.outputDue = false;
  }

  private async breathe(): Promise<void> {
    this.breathDue = false;
    await this.host.breathe();
    this.lastBreathMs = this.host.monotonicMs();
    if (this.lastBreathMs >= this.timeLimitMs) {
      this.finish({ exit: { signal: SIGKILL }, ended: 'timeout' });
    }
    this.cpu.armWatchdog(BREATH_MS);
  }

  /** A signal from outside: Ctrl-C goes to the terminal's foreground group, anything else to the first process's group. */
  signalFromHost(signo: number): void {
    this.isSignalled = true;
    if (this.init === null) return;
    const foreground = signo === SIGINT ? this.vfs.terminals.console?.foreground : undefined;
    const isThere = [...this.groups.values()].some((group) => group.pgid === foreground);
    const pgid = foreground !== undefined && foreground !== null && isThere ? foreground : this.init.pgid;
    for (const group of this.groups.values()) {
      if (group.pgid === pgid) sendSignal(group, null, kernelInfo(signo));
    }
    this.cpu.interrupt();
  }

  /** RLIMIT_CPU's soft limit has struck. */
  cpuLimitReached(group: ThreadGroup): void {
    const { soft = 0n, hard = 0n } = group.limits[RLIMIT_CPU] ?? {};
    const seconds = BigInt(Math.floor(group.cpuNs() / 1e9));
    if (seconds < hard) group.limits[RLIMIT_CPU] = { soft: soft + 1n, hard };
    sendSignal(group, null, kernelInfo(seconds >= hard ? SIGKILL : SIGXCPU));
  }
}

savable(
  'kernel/kernel',
  { Kernel },
  {
    isPlace: true,
    kept: [
      'cpu',
      'host',
      'trace',
      'tracer',
      'logger',
      'options',
      'table',
      'args',
      'input',
      'unknown',
      'end',
      'timeLimitMs',
      'instructionLimit',
      'lastBreathMs',
      'isSignalled',
      'outputDue',
      'breathDue',
      'leave',
      'pauseAt',
    ],
  },
);
savedConstants('kernel/kernel', { SKIPPED_CALL });
