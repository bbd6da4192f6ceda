// SPDX-License-Identifier: MIT
//
// Being careful costs few patches: of the calls that upstream patches rightly, hardened patches nearly all, program by
// program. The invariants are looked at meanwhile.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import type { GuestContext } from '../../../src/platform/sentry.ts';
import type { SpaceTraps } from '../../../src/platform/space-traps.ts';
import { openHostDirectory } from '../../../src/sandbox/host-node/index.ts';
import type { SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import type { PatchOutcome, PatchRequest } from '../../../src/usertrap/patcher.ts';
import { compile, hasCompiler, isLinux, runGuest } from '../../programs/guest-run.ts';
import { InvariantObserver } from './invariant-observer.ts';

const LEAST = 0.95;
const BUSYBOX = '/bin/busybox';

/** Also keeps the sites whose mov is none. */
class SiteObserver extends InvariantObserver {
  readonly falseSites = new Set<number>();

  override onPatch(ctx: GuestContext, traps: SpaceTraps, request: PatchRequest, outcome: PatchOutcome): void {
    const before = this.violations.length;
    super.onPatch(ctx, traps, request, outcome);
    if (this.violations.slice(before).some((v) => v.invariant === 17)) this.falseSites.add(outcome.site);
  }
}

interface Coverage {
  /** Calls that were patched, at sites that are sites. */
  readonly calls: number;
  readonly broken: readonly number[];
}

async function coverage(
  program: string,
  patch: 'upstream' | 'hardened',
  options: Partial<SandboxOptions>,
): Promise<Coverage> {
  const observer = new SiteObserver();
  const { result } = await runGuest(program, {
    patch,
    observer,
    openCpu: (made) => (observer.cpu = openUnicorn(made)),
    ...options,
  });
  const sites = result.metrics.sites.filter((s) => !observer.falseSites.has(Number(s.address)));
  return { calls: sites.reduce((sum, s) => sum + s.calls, 0), broken: observer.broken };
}

/** What hardened patches of what upstream patches, and that it breaks no invariant. */
async function compare(program: string, options: Partial<SandboxOptions> = {}): Promise<void> {
  const upstream = await coverage(program, 'upstream', options);
  const hardened = await coverage(program, 'hardened', options);
  expect(upstream.calls).toBeGreaterThan(0);
  expect(hardened.broken).toEqual([]);
  expect(hardened.calls / upstream.calls).toBeGreaterThanOrEqual(LEAST);
}

describe.runIf(hasCompiler('musl-gcc'))('programs with musl', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-coverage-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['file-calls', 'processes', 'restart', 'epoll', 'futexes'])(
    'hardened patches at least 95 % of what upstream patches in %s',
    async (name) => {
      const program = join(folder, name);
      compile('musl-gcc', name, program);
      await compare(program);
    },
  );
});

describe.runIf(isLinux && existsSync(BUSYBOX))('busybox', () => {
  it.each([
    { what: 'a loop of the shell', argv: ['sh', '-c', 'for i in $(seq 300); do echo $i; done | busybox wc -l'] },
    { what: 'dd', argv: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=512', 'count=500'] },
    { what: 'find', argv: ['find', '/proc/self', '/dev'] },
  ])('hardened patches at least 95 % of what upstream patches in $what', async ({ argv }) => {
    await compare(BUSYBOX, { argv: ['busybox', ...argv] });
  });
});

describe.runIf(isLinux && existsSync('/bin/bash'))('programs with glibc over this machine’s tree', () => {
  it.each([
    { program: '/bin/bash', args: ['-c', 'for i in $(seq 3); do ls / | sort | head -2; done'] },
    { program: '/usr/bin/find', args: ['/usr/share/doc/bash', '-name', 'copyright'] },
  ])('hardened patches at least 95 % of what upstream patches in $program', async ({ program, args }) => {
    const root = openHostDirectory('/', { writable: false });
    await compare(program, { root, argv: [program, ...args], env: ['PATH=/usr/bin:/bin'] });
  });
});
