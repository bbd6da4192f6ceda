// SPDX-License-Identifier: MIT
//
// The run loop against the outside world: limits, dead ends, Ctrl-C, input that comes late. Guests are machine code
// in ELF files made here, so no compiler is needed.

import { describe, expect, it } from 'vitest';
import { SIGINT, SIGKILL, SIGSEGV } from '../../src/abi/signal.ts';
import { fromHex } from '../../src/base/bytes.ts';
import { runCode } from './code-guest.ts';

// xor %edi,%edi; mov $60,%eax; syscall
const EXIT_0 = '31ff b83c000000 0f05';
/** read(0, rsp, 1). */
const READ_ONE = '31c0 31ff 4889e6 ba01000000 0f05';
/** exit(eax). */
const EXIT_EAX = '89c7 b83c000000 0f05';
/** nanosleep({seconds, 0}, 0) with the structure on the stack. */
const sleepFor = (seconds: number): string =>
  `6a00 68${seconds.toString(16).padStart(2, '0')}000000 4889e7 31f6 b823000000 0f05`;

describe('a run', () => {
  it('ends with the exit code of the first process', async () => {
    const { result } = await runCode(fromHex(EXIT_0));
    expect(result.exit).toEqual({ code: 0 });
    expect(result.ended).toBeUndefined();
    expect(result.metrics).toMatchObject({
      version: 1,
      mode: 'hardened',
      instructions: 3,
      syscalls: 1,
      tasks: 1,
      signals: 0,
    });
  });

  it('ends by its instruction limit, however the guest loops', async () => {
    const { result } = await runCode(fromHex('ebfe'), { maxInstructions: 5_000_000 });
    expect(result).toMatchObject({ exit: { signal: SIGKILL }, ended: 'budget' });
    expect(result.metrics.instructions).toBe(5_000_000);
  });

  it('ends by its time limit while guest code runs', async () => {
    const { result } = await runCode(fromHex('ebfe'), { timeoutSec: 0.2 });
    expect(result).toMatchObject({ exit: { signal: SIGKILL }, ended: 'timeout' });
  });

  it('ends by its time limit while everybody waits for input', async () => {
    const { result } = await runCode(fromHex(READ_ONE + EXIT_EAX), { timeoutSec: 0.2, input: 'never' });
    expect(result).toMatchObject({ exit: { signal: SIGKILL }, ended: 'timeout' });
  });

  it('ends by its time limit when a guest sleeps again and again in virtual time', async () => {
    // 1: nanosleep; add $16,%rsp; jmp 1b
    const body = `${sleepFor(1)} 4883c410`;
    const length = fromHex(body).length + 2;
    const back = (256 - length).toString(16).padStart(2, '0');
    const { result } = await runCode(fromHex(`${body} eb${back}`), { timeoutSec: 0.3 });
    expect(result.ended).toBe('timeout');
  });

  it('hears the world outside while timers fire for nobody', async () => {
    // signal(SIGALRM, SIG_IGN); timer_create(CLOCK_MONOTONIC); timer_settime(1 us, every 1 us); pause()
    const ignoreAlarm = '6a00 6a00 6a00 6a01 bf0e000000 4889e6 31d2 41ba08000000 b80d000000 0f05';
    const create = 'bf01000000 31f6 6a00 4889e2 b8de000000 0f05 8b3c24';
    const everyMicrosecond = '68e8030000 6a00 68e8030000 6a00 31f6 4889e2 4531d2 b8df000000 0f05';
    const { result } = await runCode(fromHex(`${ignoreAlarm} ${create} ${everyMicrosecond} b822000000 0f05`), {
      interruptAfterMs: 50,
      timeoutSec: 600,
    });
    expect(result.exit).toEqual({ signal: SIGINT });
  });

  it('ends with a clear line when nothing can wake anybody any more', async () => {
    // pause()
    const { result, warnings } = await runCode(fromHex('b822000000 0f05'));
    expect(result).toMatchObject({ exit: { signal: SIGKILL }, ended: 'deadlock' });
    expect(warnings.join()).toMatch(/waits for something/);
  });

  it('ends with the same line when a process waits for its own processor time to pass', async () => {
    // clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, {0, 1 ns}, 0)
    const sleep = '6a01 6a00 4889e2 bf02000000 31f6 4531d2 b8e6000000 0f05';
    const { result, warnings } = await runCode(fromHex(sleep), { timeoutSec: 600 });
    expect(result).toMatchObject({ exit: { signal: SIGKILL }, ended: 'deadlock' });
    expect(warnings.join()).toMatch(/waits for something/);
  });

  it('waits for input that comes late', async () => {
    const { result } = await runCode(fromHex(READ_ONE + EXIT_EAX), { input: 'late' });
    expect(result.exit).toEqual({ code: 1 });
  });

  it('sleeps in virtual time: an hour costs nothing', async () => {
    const { result } = await runCode(fromHex(sleepFor(100) + EXIT_0), { timeoutSec: 600 });
    expect(result.exit).toEqual({ code: 0 });
    expect(result.metrics.instructions).toBeLessThan(20);
  });

  it('takes a signal from outside while guest code runs', async () => {
    const { result } = await runCode(fromHex('ebfe'), { interruptAfterMs: 50, timeoutSec: 600 });
    expect(result).toMatchObject({ exit: { signal: SIGINT } });
    expect(result.ended).toBeUndefined();
  });

  it('takes a signal from outside while everybody waits for input', async () => {
    const { result } = await runCode(fromHex(READ_ONE + EXIT_EAX), {
      input: 'never',
      interruptAfterMs: 50,
      timeoutSec: 600,
    });
    expect(result).toMatchObject({ exit: { signal: SIGINT } });
  });

  it('sends Ctrl-C to the foreground group of the terminal, not to the shell that waits', async () => {
    // fork; the parent exits with the low byte of what wait4 stores: the signal that killed the child.
    const parent = '4883ec10 bfffffffff 4889e6 31d2 4d31d2 b83d000000 0f05 8b3c24 b83c000000 0f05';
    // signal(SIGTTOU, SIG_IGN) by rt_sigaction, because the child's group is in the background yet
    const ignoreOutput = '6a00 6a00 6a00 6a01 bf16000000 4889e6 31d2 41ba08000000 b80d000000 0f05';
    // setpgid(0, 0); ioctl(0, TIOCSPGRP, &pid); read(0, rsp, 1); exit(99)
    const takeTerminal = '31ff 31f6 b86d000000 0f05 b827000000 0f05 50 31ff be10540000 4889e2 b810000000 0f05';
    const child = `${ignoreOutput} ${takeTerminal} 31ff 4889e6 ba01000000 31c0 0f05 bf63000000 b83c000000 0f05`;
    const { result } = await runCode(fromHex(`b839000000 0f05 85c0 7422 ${parent} ${child}`), {
      isTerminal: true,
      input: 'never',
      interruptAfterMs: 200,
      timeoutSec: 600,
    });
    expect(result).toMatchObject({ exit: { code: SIGINT } });
  });

  it('tells what it knows of a crash', async () => {
    // getpid; mov $0x1234,%ebx; mov (%rbx),%al
    const { result } = await runCode(fromHex('b827000000 0f05 bb34120000 8a03'));
    expect(result.exit).toEqual({ signal: SIGSEGV });
    const { crash } = result;
    expect(crash).toMatchObject({ tid: 1, tgid: 1, signo: SIGSEGV, code: 1, faultAddress: 0x1234n });
    expect(crash?.lastCalls).toMatchObject([{ tid: 1, sysno: 39, result: 1 }]);
    expect([...(crash?.instructionBytes.slice(0, 2) ?? [])]).toEqual([0x8a, 0x03]);
    expect(crash?.registers.find((r) => r.name === 'rbx')?.value).toBe(0x1234n);
    expect(crash?.maps).toContain('[stack]');
  });

  it('names the first AVX instruction once', async () => {
    // vaddps %ymm0,%ymm0,%ymm0
    const { warnings } = await runCode(fromHex('c5fc58c0'));
    expect(warnings.join()).toMatch(/no AVX/);
  });

  it('warns once about an unknown call and goes on with ENOSYS', async () => {
    const unknown = 'b8f4010000 0f05';
    const { result, warnings } = await runCode(fromHex(unknown + unknown + 'f7d8' + EXIT_EAX));
    expect(result.exit).toEqual({ code: 38 });
    expect(warnings.filter((line) => line.includes('500'))).toHaveLength(1);
  });

  it('says that memory is used up', async () => {
    // mmap(0, 64 MiB, RW, PRIVATE|ANONYMOUS|NORESERVE); then a store to every page of it.
    const map = '31ff be00000004 ba03000000 41ba22400000 4983c8ff 4531c9 b809000000 0f05';
    const touch = '4889c7 c60701 4881c700100000 ebf4';
    const { result, warnings } = await runCode(fromHex(map + touch), { memoryBytes: 32 * 2 ** 20 });
    expect(result.exit).toEqual({ signal: SIGKILL });
    expect(warnings.join()).toMatch(/memory of 32 MiB is used up/);
  });
});
