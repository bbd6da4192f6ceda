// SPDX-License-Identifier: MIT
//
// This machine's own tools that show processes find those of the sandbox.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { trapline } from './trapline.ts';

const TOOLS = ['ps', 'top', 'free', 'uptime', 'pgrep', 'pkill', 'vmstat', 'pstree'];
const isThere = process.platform === 'linux' && process.arch === 'x64' && existsSync('/bin/bash');
const hasTools = isThere && TOOLS.every((tool) => existsSync(`/usr/bin/${tool}`));

function shell(script: string): { lines: string[]; status: number | null; stderr: string } {
  const { stdout, stderr, status } = trapline(['run', '--root', '/', '--', '/bin/bash', '-c', script]);
  return { lines: stdout.trimEnd().split('\n'), status, stderr };
}

describe.runIf(hasTools)('procps in the sandbox', () => {
  it('shows processes with their parents, groups and states', () => {
    const { lines, status } = shell(
      'sleep 50 & sleep 1; kill -STOP $!; ps -eo pid,ppid,pgid,sid,stat,comm,args --no-headers; kill -KILL $!',
    );
    expect(lines.map((line) => line.trim().replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringMatching(/^1 0 1 1 S\S* bash \/bin\/bash -c sleep 50 & .*$/),
      expect.stringMatching(/^2 1 1 1 TL? sleep sleep 50$/),
      expect.stringMatching(/^4 1 1 1 RL? ps ps -eo pid,ppid/),
    ]);
    expect(status).toBe(0);
  });

  it('finds processes by name and signals them', () => {
    const { lines } = shell('sleep 50 & sleep 1; pgrep -a sleep; pstree -p 1; pkill -TERM sleep; wait $!; echo $?');
    expect(lines).toEqual([
      '2 sleep 50',
      expect.stringMatching(/^bash\(1\)-\+-pstree\(5\)$/),
      '        `-sleep(2)',
      '143',
    ]);
  });

  it('tells of memory, time and the processor', () => {
    const { lines, stderr } = shell('free -b; uptime; vmstat; top -b -n1; :');
    const text = lines.join('\n');
    expect(stderr).toBe('');
    const memory = /^Mem:\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(text)?.slice(1).map(Number) ?? [];
    expect(memory[0]).toBeGreaterThan(1e9);
    expect((memory[1] ?? 0) + (memory[2] ?? 0)).toBeLessThanOrEqual(memory[0] ?? 0);
    expect(text).toMatch(/ up 0 min, +0 users?, +load average: 0\.00, 0\.00, 0\.00/);
    expect(text).toMatch(/^ r +b +swpd +free/m);
    expect(text).toMatch(/^Tasks: +2 total, +1 running, +1 sleeping/m);
    expect(text).toMatch(/^ +1 \S+ +20 +0 +\d+ +\d+ +\d+ S .* bash$/m);
  });

  it('counts one processor, whatever the host has, wherever they look', () => {
    const { lines, stderr } = shell(
      'nproc; nproc --all; getconf _NPROCESSORS_CONF; cat /sys/devices/system/cpu/{online,possible}; ' +
        'ls -d /sys/devices/system/cpu/cpu?; echo 1 > /sys/devices/system/cpu/online',
    );
    expect(lines).toEqual(['1', '1', '1', '0', '0', '/sys/devices/system/cpu/cpu0']);
    expect(stderr).toMatch(/Read-only file system|Permission denied/);
  });

  it('see one node of memory and no devices in /sys, whatever the host has', () => {
    const { lines, stderr } = shell(
      'cd /sys; echo *; ls class block bus | tr "\\n" " "; echo; cat devices/system/node/online; ' +
        'for f in /proc/meminfo devices/system/node/node0/meminfo; do grep MemTotal $f | tr -dc 0-9; echo; done',
    );
    expect(stderr).toBe('');
    const [names, empty, online, machine, node] = lines;
    expect([names, empty, online]).toEqual([
      'block bus class dev devices firmware fs kernel module power',
      'block:  bus:  class: ',
      '0',
    ]);
    expect(node).toBe(`0${machine ?? ''}`);
  });
});
