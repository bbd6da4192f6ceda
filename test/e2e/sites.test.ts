// SPDX-License-Identifier: MIT
//
// `trapline sites` as a process: what it prints, its statuses, and files that are no programs.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import { checkSarif } from '../report/sarif-check.ts';
import { elfOf } from '../usertrap/elf-of-code.ts';
import { guest, ONE_LINE, trapline } from './trapline.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-sites-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function program(name: string, hex: string): string {
  const path = join(folder, name);
  writeFileSync(path, elfOf(fromHex(hex)));
  return path;
}

/** A false match, a shared tail, a call that is never patched. */
const DANGEROUS =
  '90 90 c7 44 24 b8 10 00 00 00 0f 05 c3 b8 27 00 00 00 0f 05 c3 b8 66 00 00 00 eb f6 31 c0 31 ff 0f 05 c3';

describe('trapline sites', () => {
  it('lists the sites of a program with what patching does there', () => {
    const run = trapline(['sites', guest('hello')]);
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    const [heading, ...rows] = run.stdout.split('\n');
    expect(heading).toMatch(/^SITE +BYTES .*CALL +UPSTREAM +HARDENED +RULE +HAZARDS +IN$/);
    expect(rows[0]).toMatch(/^0x[0-9a-f]+ +[0-9a-f]{2} b8 01 00 00 00 0f 05 +1 write +patched +patched +mov-eax/);
  });

  it('shows what a false match really is and where a shared tail is entered from', () => {
    expect(trapline(['sites', program('dangerous', DANGEROUS)]).stdout).toMatchInlineSnapshot(`
      "SITE      BYTES (S-1 .. S+6)       CALL       UPSTREAM  HARDENED  RULE                 HAZARDS                                                              IN
      0x400085  24 b8 10 00 00 00 0f 05  -          patched   refused   tail-of-instruction  false-match (\`movl $0x10,-0x48(%rsp)\` at 0x400082) number-elsewhere  -
      0x40008d  c3 b8 27 00 00 00 0f 05  39 getpid  patched   patched   mov-eax              shared-tail (from 0x40009a)                                          -
      0x40009b  eb f6 31 c0 31 ff 0f 05  0 read     refused   refused   zeroed-register      number-elsewhere                                                     -

      3 syscall instructions; 2 follow mov $number,%eax; patched: upstream 2, hardened 1
      of those 2: 0 cross a line, 0 a page, 0 lie in one aligned word; the syscall itself crosses a line 0 times, a page 0 times
      0f 05 within other instructions or data: 0
      "
    `);
  });

  it('prints one JSON object of the documented schema when asked', () => {
    const run = trapline(['sites', '--json', program('dangerous', DANGEROUS)]);
    expect(run.status).toBe(0);
    const { program: path, summary, sites, ...rest } = JSON.parse(run.stdout) as Record<string, object[]>;
    expect(rest).toEqual({ version: 1 });
    expect(path).toBe(join(folder, 'dangerous'));
    expect(summary).toEqual({
      syscall: 3,
      sysenter: 0,
      int80: 0,
      matching: 2,
      patchedUpstream: 2,
      patchedHardened: 1,
      inOneWord: 0,
      lineSplit: 0,
      pageSplit: 0,
      opcodeLineSplit: 0,
      opcodePageSplit: 0,
      embedded: 0,
      executableBytes: 163,
    });
    expect(sites?.[1]).toEqual({
      address: '0x40008d',
      callAddress: '0x400092',
      instruction: 'syscall',
      bytes: 'c3 b8 27 00 00 00 0f 05',
      preceding: { address: '0x40008d', bytes: 'b8 27 00 00 00', text: 'mov $0x27,%eax' },
      sysno: 39,
      matches: true,
      upstream: { patched: true, rule: 'mov-eax' },
      hardened: { patched: true, rule: 'mov-eax' },
      hazards: ['shared-tail'],
      branches: [{ from: '0x40009a', to: '0x400092' }],
      function: null,
    });
  });

  it('prints a SARIF log of what is dangerous', () => {
    program('odd name#1', DANGEROUS);
    const run = trapline(['sites', '--sarif', 'odd name#1'], { cwd: folder });
    expect(run.status).toBe(0);
    const findings = checkSarif(JSON.parse(run.stdout));
    expect(findings.map((f) => [f.ruleId, f.level, f.address])).toEqual([
      ['false-match', 'error', 0x400085],
      ['shared-tail', 'warning', 0x40008d],
      ['never-patched', 'note', 0x40009b],
    ]);
    expect(findings[0]?.message).toContain('`movl $0x10,-0x48(%rsp)` at 0x400082');
    expect(findings[1]?.message).toContain('from 0x40009a');
    expect(findings[0]?.uri).toBe('odd%20name%231');
    expect(checkSarif(JSON.parse(trapline(['sites', '--sarif', guest('hello')]).stdout))[0]?.uri).toMatch(
      /^file:\/\/\//,
    );
  });

  it('compares two builds: exit status 1 when a call loses its patch', () => {
    const fast = program('fast', '90 b8 27 00 00 00 0f 05 c3');
    const slow = program('slow', '90 b8 27 00 00 00 90 0f 05 c3');
    const worse = trapline(['sites', '--diff', fast, slow]);
    expect(worse).toMatchObject({ status: 1, stderr: '' });
    expect(worse.stdout).toMatch(/^lost +\(after the start\) call 1 \(39 getpid\): 0x400081 -> 0x400082: /);
    expect(worse.stdout).toContain(
      'upstream mov-eax -> mov-eax-not-adjacent, hardened mov-eax -> mov-eax-not-adjacent',
    );
    const better = trapline(['sites', '--diff', slow, fast]);
    expect(better).toMatchObject({ status: 0, stderr: '' });
    expect(better.stdout).toMatch(/^gained /);
    expect(trapline(['sites', '--diff', fast, fast])).toEqual({
      status: 0,
      stdout: '1 calls in both, 0 only before, 0 only now; not worse\n',
      stderr: '',
    });
    const json = JSON.parse(trapline(['sites', '--json', '--diff', fast, slow]).stdout) as Record<string, unknown>;
    expect(json).toMatchObject({ version: 1, before: fast, after: slow, worse: true, changes: [{ kind: 'lost' }] });
    const sarif = trapline(['sites', '--sarif', '--diff', fast, slow]);
    expect(sarif.status).toBe(1);
    expect(checkSarif(JSON.parse(sarif.stdout))).toMatchObject([{ ruleId: 'patch-lost', level: 'warning' }]);
  });

  it('refuses in one line what it cannot read', () => {
    const refused = (args: readonly string[], status: number, words: RegExp): void => {
      const run = trapline(['sites', ...args]);
      expect(run).toMatchObject({ status, stdout: '' });
      expect(run.stderr).toMatch(ONE_LINE);
      expect(run.stderr).toMatch(words);
    };
    refused([folder], 126, /is a directory/);
    refused(['/dev/zero'], 126, /no regular file/);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    refused([pipe], 126, /no regular file/);
    refused(['--json', '--sarif', guest('hello')], 125, /exclude each other/);
    refused(['--diff', join(folder, 'missing'), guest('hello')], 127, /missing/);
    const huge = program('huge', 'c3');
    truncateSync(huge, 600 * 2 ** 20);
    refused([huge], 126, /512 MiB/);
    const cut = join(folder, 'cut');
    writeFileSync(cut, readFileSync(guest('hello')).subarray(0, 130));
    refused([cut], 126, /cut: .*truncated/);
  });
});

/** What `--metrics` says of sites. */
interface RunSites {
  readonly sites: readonly { readonly address: string; readonly sysno: number }[];
  readonly refused: readonly { readonly address: string; readonly rule: string }[];
}

interface ListedSite {
  readonly address: string;
  readonly sysno: number | null;
  readonly upstream: { readonly patched: boolean; readonly rule: string };
  readonly hardened: { readonly patched: boolean; readonly rule: string };
}

describe('the list beside a run', () => {
  const guests = ['hello', 'getpid-unpatchable', 'signal-basic', 'g02-xor-read', 'g06-shared-tail', 'g07-rex-r8d'];
  guests.push('g08-false-mov', 'g12-line-split', 'g13-page-split', 'g20-numbers', 'g21-data-island', 'g22-desync');

  it.each(guests)('foretells which sites of %s are patched, and why the others are not', (name) => {
    const { sites } = JSON.parse(trapline(['sites', '--json', guest(name)]).stdout) as { sites: ListedSite[] };
    const listed = new Map(sites.map((s) => [s.address, s]));
    const metrics = join(folder, `${name}.json`);
    for (const mode of ['upstream', 'hardened'] as const) {
      trapline(['run', '--patch', mode, '--metrics', metrics, '--max-instructions', '10000000', guest(name)]);
      const run = JSON.parse(readFileSync(metrics, 'utf8')) as RunSites;
      expect(run.sites.length + run.refused.length).toBeGreaterThan(0);
      for (const site of run.sites) {
        expect(listed.get(site.address)?.[mode].patched).toBe(true);
        // The list knows the number of a false match only where the code before shows it.
        expect([site.sysno, null]).toContain(listed.get(site.address)?.sysno);
      }
      for (const { address, rule } of run.refused) {
        const decision = listed.get(address)?.[mode];
        expect(decision?.patched).toBe(false);
        if (rule !== 'not-mov-eax') expect(decision?.rule).toBe(rule);
      }
    }
  });
});
