// SPDX-License-Identifier: MIT
//
// What is wrong with a program's syscall sites as SARIF findings: `sites --sarif`, and changes between two builds.

import { hex } from '../base/addr.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import type { SiteDiff } from '../usertrap/site-diff.ts';
import type { ProgramSites, SiteHazard, SiteReport } from '../usertrap/site-report.ts';
import type { SarifFinding, SarifRule } from './sarif.ts';
import type { DescribeInstruction } from './site-list.ts';

type Id = 'false-match' | 'shared-tail' | 'branch-into-middle' | 'page-split' | 'never-patched' | 'patch-lost';

const RULES: Readonly<Record<Id, SarifRule>> = {
  'false-match': {
    id: 'false-match',
    summary: 'The five bytes before a syscall look like mov $number,%eax but end another instruction.',
    help: 'Patching overwrites that instruction, which then stores or computes something else; the call itself goes on to work. Load the number right before the syscall, or run with patching off or hardened.',
    level: 'error',
  },
  'shared-tail': {
    id: 'shared-tail',
    summary: 'A branch goes to the syscall instruction itself.',
    help: 'After the patch the branch meets the guard byte, and the number of the patched site may be executed in place of its own. Give each number a syscall instruction of its own.',
    level: 'warning',
  },
  'branch-into-middle': {
    id: 'branch-into-middle',
    summary: 'A branch goes into the middle of the seven bytes of a site.',
    help: 'After the patch the branch meets bytes of a jump instruction.',
    level: 'warning',
  },
  'page-split': {
    id: 'page-split',
    summary: 'A page boundary splits a site.',
    help: 'Its halves can be unmapped, protected and copied separately. Hardened mode leaves it alone: the call is slower. Align the code.',
    level: 'note',
  },
  'never-patched': {
    id: 'never-patched',
    summary: 'A call does not have the shape that is patched.',
    help: 'The call works and costs a trap each time. Only mov $number,%eax right before syscall is patched.',
    level: 'note',
  },
  'patch-lost': {
    id: 'patch-lost',
    summary: 'A call that the build before had patched is not patched any more.',
    help: 'The call works and costs a trap each time. Look for what the compiler or the linker has put between the number and the syscall.',
    level: 'warning',
  },
};

/** All rules, in the order in which logs list them. */
export const SITE_RULES: readonly SarifRule[] = Object.values(RULES);

const DANGERS: readonly SiteHazard[] = ['false-match', 'shared-tail', 'branch-into-middle'];

export function siteFindings(path: string, program: ProgramSites, describe: DescribeInstruction): SarifFinding[] {
  const make = new FindingMaker(path, describe);
  return program.sites.flatMap((site) => {
    const ids = DANGERS.filter((h) => site.hazards.includes(h)) as Id[];
    if (site.hardened.rule === 'page-split') ids.push('page-split');
    if (!site.upstream.patched) ids.push('never-patched');
    return ids.map((id) => make.finding(id, site));
  });
}

/** Findings in the new build. */
export function diffFindings(path: string, diff: SiteDiff, describe: DescribeInstruction): SarifFinding[] {
  const make = new FindingMaker(path, describe);
  return diff.changes.flatMap((c) => {
    if (c.kind === 'gained') return [];
    const ids = c.kind === 'lost' ? (['patch-lost'] as const) : (c.hazards as Id[]);
    return ids.map((id) => make.finding(id, c.after));
  });
}

class FindingMaker {
  readonly #path: string;
  readonly #describe: DescribeInstruction;
  readonly #seen = new Map<string, number>();

  constructor(path: string, describe: DescribeInstruction) {
    this.#path = path;
    this.#describe = describe;
  }

  finding(id: Id, site: SiteReport): SarifFinding {
    const name = site.function?.name;
    // Without addresses, so that the same finding in the next build is the same one.
    const key = `${id}/${name ?? ''}/${site.sysno ?? ''}`;
    const ordinal = (this.#seen.get(key) ?? 0) + 1;
    this.#seen.set(key, ordinal);
    return {
      rule: RULES[id],
      message: `${RULES[id].summary} ${this.#detail(id, site)}`,
      path: this.#path,
      address: Math.max(0, site.address),
      length: SITE_BYTES,
      function: name,
      fingerprint: `${key}/${ordinal}`,
    };
  }

  #detail(id: Id, site: SiteReport): string {
    const where = `Site ${hex(Math.max(0, site.address))}`;
    if (id === 'false-match' && site.preceding !== undefined)
      return `${where} is the tail of \`${this.#describe(site.preceding)}\` at ${hex(site.preceding.address)}.`;
    const toCall = site.branches.filter((b) => (b.to === site.callAddress) === (id === 'shared-tail'));
    if ((id === 'shared-tail' || id === 'branch-into-middle') && toCall.length > 0)
      return `${where}; from ${toCall.map((b) => hex(b.from)).join(', ')}.`;
    const rules =
      site.upstream.rule === site.hardened.rule
        ? `rule ${site.upstream.rule}`
        : `upstream: ${site.upstream.rule}, hardened: ${site.hardened.rule}`;
    return `${where}; ${rules}.`;
  }
}
