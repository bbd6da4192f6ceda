// SPDX-License-Identifier: MIT
//
// Lines out of events: prefixes, unfinished calls, signals, exits, and the other renderings.

import { describe, expect, it } from 'vitest';
import { SYS } from '../../src/abi/sysno.ts';
import { GvisorText } from '../../src/report/gvisor-text.ts';
import { StraceText, exitLine, secondsText } from '../../src/report/strace-text.ts';
import type { StraceOptions } from '../../src/report/strace-text.ts';
import { SyscallSummary } from '../../src/report/syscall-summary.ts';
import { EventKind } from '../../src/trace/events.ts';
import { TraceRing } from '../../src/trace/ring.ts';
import type { TraceConsumer } from '../../src/trace/ring.ts';

/** Feeds events at given times. */
class Feed {
  now = 0;
  readonly ring: TraceRing;

  constructor(consumer: TraceConsumer) {
    this.ring = new TraceRing(() => this.now);
    this.ring.attach(consumer);
  }

  start(tid: number, tgid = tid): void {
    this.ring.emit(EventKind.taskStart, tid, tgid);
  }

  enter(tid: number, sysno: number, text: string, patched = 0): void {
    this.ring.emitText(EventKind.syscallEnter, tid, text, sysno, 0x401007, patched);
  }

  exit(tid: number, sysno: number, args: string, result: string, value = 0): void {
    this.ring.emitText(EventKind.syscallExit, tid, args + result, sysno, value, args.length);
  }
}

function strace(feed: (f: Feed) => void, options: Partial<StraceOptions> = {}): string[] {
  let out = '';
  const text = new StraceText({
    write: (lines) => (out += lines),
    immediate: false,
    times: false,
    epochNs: () => 0n,
    ...options,
  });
  const f = new Feed(text);
  feed(f);
  f.ring.flush();
  text.close();
  return out.split('\n').slice(0, -1);
}

describe('StraceText', () => {
  it('writes a call with its result in column 40', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.enter(1, SYS.close, '99');
        f.exit(1, SYS.close, '', '-1 EBADF (Bad file descriptor)');
      }),
    ).toEqual(['close(99)                               = -1 EBADF (Bad file descriptor)']);
  });

  it('tells of a leader that has ended when the last of its threads has', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.start(2, 1);
        f.ring.emit(EventKind.taskExit, 1, 1, 0x300, 0);
        f.enter(2, SYS.getpid, '');
        f.exit(2, SYS.getpid, '', '1', 1);
        f.ring.emit(EventKind.taskExit, 2, 1, 0x400, 1);
      }),
    ).toEqual([
      '[pid     2] getpid()                    = 1',
      '[pid     2] +++ exited with 4 +++',
      '+++ exited with 3 +++',
    ]);
  });

  it('goes on under the id of a leader whose thread has executed a program', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.start(2, 1);
        f.enter(2, SYS.execve, '"/a"');
        f.ring.emit(EventKind.taskExit, 1, 1, 0, 0);
        f.ring.emitText(EventKind.exec, 1, '/a', 1, 0x401000, 2);
        f.exit(1, SYS.execve, '', '0');
        f.ring.emit(EventKind.taskExit, 1, 1, 0, 1);
      }),
    ).toEqual([
      '[pid     2] execve("/a" <unfinished ...>',
      '+++ superseded by execve in pid 2 +++',
      '<... execve resumed>)                   = 0',
      '+++ exited with 0 +++',
    ]);
  });

  it('breaks a call off when another task gets in between, and resumes it', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.start(2);
        f.enter(1, SYS.read, '3, ');
        f.enter(2, SYS.getpid, '');
        f.exit(2, SYS.getpid, '', '1');
        f.exit(1, SYS.read, '"x", 5', '1');
      }),
    ).toEqual([
      '[pid     1] read(3,  <unfinished ...>',
      '[pid     2] getpid()                    = 1',
      '[pid     1] <... read resumed>"x", 5)   = 1',
    ]);
  });

  it('prefixes lines only while several tasks are alive', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.start(2);
        f.ring.emit(EventKind.taskExit, 2, 2, 3 << 8, 1);
        f.enter(1, SYS.wait4, '2, ');
        f.exit(1, SYS.wait4, '[..], 0, NULL', '2');
        f.ring.emit(EventKind.taskExit, 1, 1, 0, 1);
      }),
    ).toEqual([
      '[pid     2] +++ exited with 3 +++',
      'wait4(2, [..], 0, NULL)                 = 2',
      '+++ exited with 0 +++',
    ]);
  });

  it('shows signals, and those that a task ignores when its call is over', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.enter(1, SYS.wait4, '-1, ');
        f.ring.emitText(EventKind.signalIgnored, 1, '{si_signo=SIGCHLD}', 17);
        f.exit(1, SYS.wait4, 'NULL', '2');
        f.ring.emitText(EventKind.signalDelivered, 1, '{si_signo=SIGSEGV}', 11);
        f.ring.emit(EventKind.taskExit, 1, 1, 11 | 0x80, 1);
      }),
    ).toEqual([
      'wait4(-1, NULL)                         = 2',
      '--- SIGCHLD {si_signo=SIGCHLD} ---',
      '--- SIGSEGV {si_signo=SIGSEGV} ---',
      '+++ killed by SIGSEGV (core dumped) +++',
    ]);
  });

  it('never breaks a call up for a line of its own', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.enter(1, SYS.getpid, '');
        f.ring.emit(EventKind.sitePatched, 1, 0x401000, 39, 1);
        f.exit(1, SYS.getpid, '', '1');
        f.ring.emit(EventKind.siteRestarted, 1, 0x401005, 0x401000, 0);
      }),
    ).toEqual([
      'getpid()                                = 1',
      '--- usertrap: patched 0x401000 sysno=39 trap=1 ---',
      '--- usertrap: restarted 0x401000 after a fault at 0x401005 ---',
    ]);
  });

  it('writes the columns of -ttt and -T in virtual time', () => {
    const lines = strace(
      (f) => {
        f.start(1);
        f.now = 1_500_000;
        f.enter(1, SYS.nanosleep, '..');
        f.now = 2_000_000_000;
        f.exit(1, SYS.nanosleep, '', '0');
      },
      { times: true, epochNs: () => 1_700_000_000_000_000_000n },
    );
    expect(lines).toEqual(['1700000000.001500 nanosleep(..)         = 0 <1.998500>']);
  });

  it('leaves an unfinished line when the run ends in a call', () => {
    expect(
      strace((f) => {
        f.start(1);
        f.enter(1, SYS.pause, '');
      }),
    ).toEqual(['pause( <unfinished ...>']);
  });

  it('writes whole lines only, at once when asked', () => {
    const pieces: string[] = [];
    strace(
      (f) => {
        f.start(1);
        f.enter(1, SYS.getpid, '');
        f.exit(1, SYS.getpid, '', '1');
        expect(pieces).toHaveLength(1);
        f.enter(1, SYS.getuid, '');
        expect(pieces).toHaveLength(1);
      },
      { immediate: true, write: (lines) => void pieces.push(lines) },
    );
    for (const piece of pieces) expect(piece.endsWith('\n')).toBe(true);
  });
});

describe('exitLine', () => {
  it('tells exits from signals', () => {
    expect(exitLine(7 << 8)).toBe('+++ exited with 7 +++');
    expect(exitLine(9)).toBe('+++ killed by SIGKILL +++');
    expect(exitLine(34)).toBe('+++ killed by SIGRT_2 +++');
  });
});

describe('secondsText', () => {
  it('cuts nanoseconds to microseconds', () => {
    expect(secondsText(1_234_567_891n)).toBe('1.234567');
    expect(secondsText(999n)).toBe('0.000000');
  });
});

describe('GvisorText', () => {
  it('writes a line at entry and one at exit', () => {
    let out = '';
    const text = new GvisorText({ write: (lines) => (out += lines), immediate: true, times: false, epochNs: () => 0n });
    const f = new Feed(text);
    f.ring.emitText(EventKind.runStart, 0, '/bin/whatever');
    f.start(2, 1);
    f.enter(2, SYS.read, '3, ');
    f.now = 20090;
    f.exit(2, SYS.read, '"x", 5', '1', 1);
    f.enter(2, SYS.close, '99');
    f.exit(2, SYS.close, '', '-1 EBADF', -9);
    expect(out).toBe(
      '[   1:   2] whatever E read(3)\n[   1:   2] whatever X read(3, "x", 5) = 1 (0x1) (20.09µs)\n' +
        '[   1:   2] whatever E close(99)\n[   1:   2] whatever X close(99) = 0 (0x0) errno=9 (EBADF) (0µs)\n',
    );
  });
});

describe('SyscallSummary', () => {
  it('counts calls, errors and the way they came', () => {
    const summary = new SyscallSummary();
    const f = new Feed(summary);
    for (let i = 0; i < 3; i++) {
      f.enter(1, SYS.getpid, '', i === 0 ? 0 : 1);
      f.exit(1, SYS.getpid, '', '1', 1);
    }
    f.enter(1, SYS.pause, '');
    f.now = 3_000_000;
    f.exit(1, SYS.pause, '', '?', -4);
    f.ring.emit(EventKind.siteRestarted, 1, 1, 2, 0);
    f.ring.flush();
    const lines = summary.text().split('\n');
    expect(lines[2]).toBe('100.00    0.003000        3000         1         1         1           pause');
    expect(lines[3]).toBe('  0.00    0.000000           0         3                   1         2 getpid');
    expect(lines[5]).toBe('100.00    0.003000         750         4         1         2         2 total');
    expect(lines[6]).toBe('restarted after a fault in a half-patched site: 1');
  });
});
