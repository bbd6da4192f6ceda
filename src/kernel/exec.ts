// SPDX-License-Identifier: MIT
//
// execve(2) and the start of the first program: finds the file, follows `#!` lines, loads it into a new address space
// and makes a task its own. Models Linux fs/exec.c and gVisor task_exec.go.

import { ELF_MAGIC } from '../abi/elf.ts';
import { EACCES, ELOOP, ENOENT, ENOEXEC, ENOMEM, ETXTBSY } from '../abi/errno.ts';
import { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK } from '../abi/resource.ts';
import { PTRACE_EVENT_EXEC } from '../abi/ptrace.ts';
import { MINSIGSTKSZ, SIGCHLD, SIGTRAP, SI_USER } from '../abi/signal.ts';
import { latin1Bytes } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import { savable, savedConstants } from '../base/savable.ts';
import { Reg } from '../cpu/regs.ts';
import type { ByteSource, ElfImage, LoadError, LoadedProgram, ProgramFile, ProgramLayout } from '../loader/index.ts';
import {
  FIXED_LAYOUT,
  LAYOUT_RANDOM_BYTES,
  SCRIPT_HEAD,
  loadErrorOf,
  loadProgram,
  randomLayout,
  readElf,
  readScriptLine,
} from '../loader/index.ts';
import { ADDR_NO_RANDOMIZE } from '../abi/system.ts';
import { AddressSpace } from '../mm/address-space.ts';
import { STUB_START } from '../platform/stub-layout.ts';
import { EventKind } from '../trace/events.ts';
import { MAY_EXEC, checkPermission } from '../vfs/credentials.ts';
import { displayPath } from '../vfs/dentry.ts';
import type { Dentry } from '../vfs/dentry.ts';
import type { FsContext } from '../vfs/fs-context.ts';
import { BufferTransfer, OpenFile } from '../vfs/open-file.ts';
import { lookupPath } from '../vfs/path-walk.ts';
import type { Credentials } from './credentials.ts';
import { Cap, afterExec, hasCap, isSecureExec } from './credentials.ts';
import { endOtherTasks, letParentGo } from './exit.ts';
import { releaseFutexes } from './robust-list.ts';
import type { Kernel } from './kernel.ts';
import type { LimitPair } from './limits.ts';
import { limitNumber } from './limits.ts';
import { forget } from './ptrace/relation.ts';
import type { Continuation } from './ptrace/stops.ts';
import { stopForEvent } from './ptrace/stops.ts';
import { clearDebugRegisters } from './ptrace/debug-registers.ts';
import type { Tracee } from './ptrace/tracee.ts';
import { killInfo } from './signals/siginfo.ts';
import { sendSignal } from './signals/send.ts';
import { initialFpu } from './signals/signal-frame.ts';
import type { BlockRequest, SyscallResult, WaitSource } from './syscalls/table.ts';
import { REGS_SET } from './syscalls/table.ts';
import type { Task } from './task.ts';
import type { ProgramParts } from './thread-group.ts';
import { NO_ALT_STACK } from './task.ts';

/** Scripts that are interpreters of scripts: Linux follows so many. */
const MAX_SCRIPTS = 5;
/** Flags of a fresh program: interrupts on, and the bit that is always one. */
const INITIAL_RFLAGS = 0x202n;
const COMM_LENGTH = 15;

/** What to run, and on whose behalf. */
export interface ProgramRequest {
  readonly fs: FsContext;
  readonly creds: Credentials;
  readonly limits: readonly LimitPair[];
  /** personality(2) of the caller. */
  readonly personality: number;
  /** The file, already found. */
  readonly dentry: Dentry;
  /** As given to execve: AT_EXECFN, and what a script's interpreter is told. */
  readonly path: string;
  /** The path leads through a descriptor that the program will not have: no script can be run by it. */
  readonly isPathClosing?: boolean;
  readonly argv: readonly Uint8Array[];
  readonly envp: readonly Uint8Array[];
}

/** A program in memory, with nobody to run it yet. */
export interface PreparedProgram {
  readonly mm: AddressSpace;
  readonly entry: number;
  readonly stackPointer: number;
  readonly file: OpenFile;
  readonly source: ByteSource;
  readonly bias: number;
  readonly exePath: string;
  readonly argv: readonly Uint8Array[];
  readonly envp: readonly Uint8Array[];
  readonly comm: string;
  readonly parts: ProgramParts;
}

/** Why there is no program: errno for the caller, words for the user. */
export interface ExecFailure {
  readonly errno: number;
  readonly message: string;
  /** It is no ELF file at all: a shell runs it as a script of its own. */
  readonly isText?: boolean;
}

/** The image that an address space was made from. */
export interface ProgramImage {
  readonly file: OpenFile;
  readonly source: ByteSource;
  /** Added to the file's addresses. */
  readonly bias: number;
  readonly path: string;
}

function failure(errno: number, message: string): ExecFailure {
  return { errno: -errno, message };
}

/** A file's bytes for the loader, whatever the caller may read. */
class FileSource implements ByteSource {
  private readonly file: OpenFile;

  constructor(file: OpenFile) {
    this.file = file;
  }

  sizeInBytes(): number {
    return this.file.inode.size;
  }

  read(offset: number, into: Uint8Array): number {
    return this.file.readAt(new BufferTransfer(into), into.length, offset);
  }
}

interface FoundProgram {
  readonly file: OpenFile;
  readonly source: ByteSource;
  readonly image: ElfImage;
  readonly argv: readonly Uint8Array[];
}

/** Opens a file that the caller wants executed. */
function openExecutable(dentry: Dentry, creds: Credentials): OpenFile | ExecFailure {
  const { inode } = dentry;
  if (!inode.isRegular) return failure(EACCES, 'it is not a regular file');
  if (dentry.mount.isNoExec) return failure(EACCES, 'nothing is executed from where it lies');
  if (checkPermission(inode, creds, MAY_EXEC) !== 0) return failure(EACCES, 'it is not executable');
  if (inode.writers > 0) return failure(ETXTBSY, 'it is open for writing');
  const file = inode.open(dentry, 0, creds);
  return typeof file === 'number' ? { errno: file, message: 'it cannot be opened' } : file;
}

/** An empty name is the working directory, as on Linux. */
function lookupInterpreter({ fs, creds }: ProgramRequest, path: string): Dentry | number {
  return path === '' ? fs.cwd : lookupPath({ fs, cred: creds }, fs.cwd, path, true);
}

/** Opens the interpreter of a dynamic program; `keep` gets the description, which is no longer needed after loading. */
function openInterpreter(
  request: ProgramRequest,
  path: string,
  keep: (file: OpenFile) => void,
): ProgramFile | LoadError {
  const { fs, creds } = request;
  const refused = (errno: number, why: string): LoadError => loadErrorOf(-errno, `its interpreter ${path} ${why}`);
  const dentry = lookupInterpreter(request, path);
  if (typeof dentry === 'number') return refused(dentry, 'cannot be found');
  const file = openExecutable(dentry, creds);
  if (!(file instanceof OpenFile)) return refused(file.errno, file.message.replace(/^it /, ''));
  keep(file);
  const mappable = file.mappable(displayPath(dentry, fs.root));
  return typeof mappable === 'number'
    ? refused(mappable, 'cannot be mapped')
    : { file: mappable, source: new FileSource(file) };
}

/** Opens the program, going through scripts to the ELF file at the end. */
function findProgram(request: ProgramRequest): FoundProgram | ExecFailure {
  let { dentry, path } = request;
  let argv = request.argv;
  for (let scripts = 0; ; scripts++) {
    const file = openExecutable(dentry, request.creds);
    if (!(file instanceof OpenFile)) return file;
    const source = new FileSource(file);
    const head = new Uint8Array(SCRIPT_HEAD);
    const length = source.read(0, head);
    const script = length > 0 ? readScriptLine(head.subarray(0, length)) : undefined;
    if (script === undefined) {
      const image: ElfImage | LoadError = readElf(source);
      if (image.ok) return { file, source, image, argv };
      file.release();
      return { ...failure(image.errno, image.message), isText: !ELF_MAGIC.every((byte, i) => head[i] === byte) };
    }
    file.release();
    if (request.isPathClosing === true)
      return failure(ENOENT, 'its interpreter could not open it: the descriptor closes');
    if (scripts === MAX_SCRIPTS) return failure(ELOOP, 'its interpreters lead to one another');
    const extra = script.argument === undefined ? [] : [latin1Bytes(script.argument)];
    argv = [latin1Bytes(script.interpreter), ...extra, latin1Bytes(path), ...argv.slice(1)];
    const next = lookupInterpreter(request, script.interpreter);
    if (typeof next === 'number')
      return { errno: next, message: `its interpreter ${script.interpreter} cannot be found` };
    dentry = next;
    path = script.interpreter;
  }
}

/** Loads a program into a new address space, which the platform knows already. */
export function prepareProgram(kernel: Kernel, request: ProgramRequest): PreparedProgram | ExecFailure {
  const found = findProgram(request);
  if ('errno' in found) return found;
  const { file, source, image, argv } = found;
  const give = (errno: number, message: string): ExecFailure => {
    file.release();
    return { errno, message };
  };
  const exePath = displayPath(file.dentry, request.fs.root);
  const mappable = file.mappable(exePath);
  if (typeof mappable === 'number') return give(mappable, 'it cannot be mapped');
  const layout = chooseLayout(kernel, request.personality);
  const mm = newSpace(kernel, request, layout);
  if (mm === undefined) return give(-ENOMEM, 'memory is out');
  const adopted = kernel.platform.adoptSpace(mm);
  if (adopted < 0) {
    mm.release();
    return give(adopted, 'memory is out');
  }
  const random = new Uint8Array(16);
  kernel.fillRandom(random);
  const { creds } = request;
  let interpreter: OpenFile | undefined;
  const loaded = loadProgram({
    mm,
    file: mappable,
    source,
    image,
    argv,
    envp: request.envp,
    execPath: latin1Bytes(request.path),
    random,
    ids: { uid: creds.uid, euid: creds.euid, gid: creds.gid, egid: creds.egid, secure: isSecureExec(creds) },
    machine: kernel.options.machine,
    vdso: kernel.vdso,
    layout,
    minSignalStack: MINSIGSTKSZ,
    openInterpreter: (path) => openInterpreter(request, path, (opened) => (interpreter = opened)),
  });
  interpreter?.release();
  if (!loaded.ok) {
    kernel.platform.dropSpace(mm);
    mm.release();
    return give(-loaded.errno, loaded.message);
  }
  return {
    mm,
    file,
    source,
    exePath,
    argv,
    envp: request.envp,
    entry: loaded.entry,
    stackPointer: loaded.stackPointer,
    bias: loaded.bias,
    comm: (request.path.split('/').pop() ?? '').slice(0, COMM_LENGTH),
    parts: programParts(loaded),
  };
}

/** Code and data of the program, as Linux's load_elf_binary finds them. */
function programParts({ image, bias }: LoadedProgram): ProgramParts {
  let codeStart = Infinity;
  let codeEnd = 0;
  let dataStart = 0;
  let dataEnd = 0;
  for (const { vaddr, fileSize, executable } of image.segments) {
    const end = vaddr + fileSize;
    dataStart = Math.max(dataStart, vaddr);
    dataEnd = Math.max(dataEnd, end);
    if (!executable) continue;
    codeStart = Math.min(codeStart, vaddr);
    codeEnd = Math.max(codeEnd, end);
  }
  if (codeEnd === 0) codeStart = 0;
  return {
    codeStart: codeStart + bias,
    codeEnd: codeEnd + bias,
    dataStart: dataStart + bias,
    dataEnd: dataEnd + bias,
  };
}

function chooseLayout(kernel: Kernel, personality: number): ProgramLayout {
  if (!kernel.options.aslr || (personality & ADDR_NO_RANDOMIZE) !== 0) return FIXED_LAYOUT;
  const random = new Uint8Array(LAYOUT_RANDOM_BYTES);
  kernel.fillRandom(random);
  return randomLayout(random);
}

function newSpace(kernel: Kernel, request: ProgramRequest, layout: ProgramLayout): AddressSpace | undefined {
  try {
    return new AddressSpace(kernel.memory, {
      end: STUB_START,
      mmapShift: layout.mmapShift,
      limits: spaceLimits(request.limits, request.creds),
    });
  } catch (error) {
    if (error instanceof TraplineError && error.code === 'MM_NO_MEMORY') return undefined;
    throw error;
  }
}

/** The limits of a group as the memory manager wants them. */
export function spaceLimits(
  limits: readonly LimitPair[],
  creds: Credentials,
): {
  addressSpaceBytes: number;
  dataBytes: number;
  stackBytes: number;
  memlockBytes: number;
} {
  const soft = (resource: number): number => limitNumber(limits[resource]?.soft ?? 0n);
  return {
    addressSpaceBytes: soft(RLIMIT_AS),
    dataBytes: soft(RLIMIT_DATA),
    stackBytes: soft(RLIMIT_STACK),
    memlockBytes: hasCap(creds, Cap.ipcLock) ? Infinity : soft(RLIMIT_MEMLOCK),
  };
}

/** Registers and group facts of a program that is about to start. The task's mm is the program's already. */
export function enterProgram(task: Task, program: PreparedProgram): void {
  const { kernel, group, regs } = task;
  kernel.setProgramImage(program.mm, {
    file: program.file,
    source: program.source,
    bias: program.bias,
    path: program.exePath,
  });
  group.exePath = program.exePath;
  group.exe = program.file.dentry;
  group.parts = program.parts;
  group.auxv = readAuxv(program);
  // The strings lie together, arguments first; an empty argv has become one empty argument.
  const start = program.mm.readU64n(program.stackPointer + 8) ?? 0;
  group.argvRange = { start, length: Math.max(1, bytesOfStrings(program.argv)) };
  group.envpRange = { start: start + group.argvRange.length, length: bytesOfStrings(program.envp) };
  task.name = program.comm;
  regs.u64.fill(0n);
  regs.set(Reg.rip, program.entry);
  regs.set(Reg.rsp, program.stackPointer);
  regs.u64[Reg.rflags] = INITIAL_RFLAGS;
  initialFpu(task.fpu);
  kernel.platform.loadFpu(task);
}

function bytesOfStrings(strings: readonly Uint8Array[]): number {
  return strings.reduce((sum, s) => sum + s.length + 1, 0);
}

/** The auxiliary vector on the stack of a program that has not started yet. */
function readAuxv(program: PreparedProgram): Uint8Array {
  const { mm, stackPointer } = program;
  const argc = mm.readU64n(stackPointer) ?? 0;
  let at = stackPointer + 8 * (argc + 2);
  while ((mm.readU64n(at) ?? 0) !== 0) at += 8;
  at += 8;
  let end = at;
  while ((mm.readU64n(end) ?? 0) !== 0) end += 16;
  const bytes = new Uint8Array(end + 16 - at);
  mm.copyIn(at, bytes);
  return bytes;
}

/** execve: the task runs another program. */
export function execTask(
  task: Task,
  what: Pick<ProgramRequest, 'dentry' | 'path' | 'isPathClosing' | 'argv' | 'envp'>,
): SyscallResult {
  const { kernel, group } = task;
  if (task.files.refs > 1 && !task.files.mayCopy) return -ENOMEM;
  const program = prepareProgram(kernel, {
    fs: task.fs,
    creds: task.creds,
    limits: group.limits,
    personality: group.personality,
    ...what,
  });
  if ('errno' in program) {
    if (program.errno === -ENOEXEC && program.isText !== true)
      kernel.warnOfGuest(`${what.path} cannot be executed: ${program.message}`);
    return program.errno;
  }
  endOtherTasks(task);
  return becomeProgram(task, program);
}

/** A program that nobody is going to run. */
function dropProgram(kernel: Kernel, program: PreparedProgram): void {
  program.file.release();
  kernel.platform.dropSpace(program.mm);
  program.mm.release();
}

/** An execve(2) that waits for the other threads to be gone. */
class ThreadsWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly killableOnly = true;
  private readonly task: Task;
  private readonly program: PreparedProgram;

  constructor(task: Task, program: PreparedProgram) {
    this.task = task;
    this.program = program;
    this.queues = [{ queue: task.group.threadsGone }];
  }

  retry(): SyscallResult {
    return becomeProgram(this.task, this.program);
  }

  onCancel(): void {
    dropProgram(this.task.kernel, this.program);
  }
}

/** The point of no return: when the last of the other threads is gone, the old program goes. */
function becomeProgram(task: Task, program: PreparedProgram): SyscallResult {
  const { kernel, group } = task;
  if (group.tasks.length > 1 || group.deadTracees > 0) {
    return task.block(new ThreadsWait(task, program));
  }
  const previousTid = task.tid;
  takeOverLeader(task);

  releaseFutexes(task);
  task.robustList = 0;
  if (task.clearTidAddr !== 0 && kernel.spaceUsers(task.mm) > 1 && task.mm.writeU32(task.clearTidAddr, 0)) {
    kernel.futexes.wakeAddress(task, task.clearTidAddr, 1);
  }
  task.clearTidAddr = 0;
  const oldMm = task.mm;
  group.lastMm(oldMm);
  kernel.retainSpace(program.mm);
  task.mm = program.mm;
  kernel.platform.moveContext(task);
  letParentGo(task);
  kernel.releaseSpace(oldMm);

  const own = task.files.refs > 1 ? task.files.copy() : undefined;
  if (own !== undefined) {
    task.files.release();
    task.files = own;
  }
  task.files.closeOnExec();
  group.actions = group.actions.forExec();
  group.posixTimers.deleteAll();
  group.hasExeced = true;
  group.exitSignal = SIGCHLD;
  group.barriers = 0;
  group.dumpable = task.creds.uid === task.creds.euid && task.creds.gid === task.creds.egid ? 1 : 0;
  task.altStack = NO_ALT_STACK;
  clearDebugRegisters(task);
  task.rseqAddr = 0;
  task.restart = null;
  const { creds } = task;
  if (isSecureExec(creds)) task.parentDeathSignal = 0;
  task.creds = afterExec(creds);
  enterProgram(task, program);
  // The way back of the call leads into the old program: the new one starts afresh.
  kernel.leaveGuest();
  const { trace } = kernel;
  trace.emit(EventKind.spaceEntered, task.tid, kernel.spaceNumber(task.mm));
  trace.emitText(EventKind.exec, task.tid, program.exePath, group.tgid, program.entry, previousTid);
  trace.emitText(EventKind.taskName, task.tid, task.name);
  return task.tracee === null ? REGS_SET : reportExec(task, task.tracee, previousTid);
}

/** A tracer hears of a new program by an event; one that did not ask for that, by a SIGTRAP. */
function reportExec(task: Task, tracee: Tracee, previousTid: number): SyscallResult {
  tracee.forcesTrapFlag = false;
  if (!tracee.wants(PTRACE_EVENT_EXEC) && !tracee.isSeized) {
    sendSignal(task.group, task, killInfo(SIGTRAP, SI_USER, task.group.tgid, task.creds.uid));
  }
  return stopForEvent(task, PTRACE_EVENT_EXEC, previousTid, ENTER_PROGRAM);
}

/** The first instruction of the new program finds 0 in rax, whatever the tracer has put there. */
const ENTER_PROGRAM: Continuation = {
  goOn(task) {
    task.regs.set(Reg.rax, 0);
    return REGS_SET;
  },
};

/** After execve there is one task, and its tid is the group's. */
function takeOverLeader(task: Task): void {
  const { group, kernel } = task;
  if (task.isLeader) return;
  const { tracee } = group.leader;
  if (tracee !== null) {
    forget(tracee);
    tracee.tracer.group.childEvents.wake();
  }
  kernel.tasks.delete(task.tid);
  for (const { leader } of group.children) if (leader.creatorTid === task.tid) leader.creatorTid = group.tgid;
  task.tid = group.tgid;
  group.leader = task;
  kernel.tasks.set(task.tid, task);
}

savable('kernel/exec', { ThreadsWait, FileSource });
savedConstants('kernel/exec', { ENTER_PROGRAM });
