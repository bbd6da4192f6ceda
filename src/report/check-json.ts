// SPDX-License-Identifier: MIT
//
// The result of `trapline check` for programs: version 1.

import { hex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import type { CheckResult, CodeLine, Divergence, ModeResult, SuspectSite } from '../sandbox/check/check-result.ts';
import type { Metrics } from '../sandbox/metrics.ts';
import { MASKED, wordsOn } from './check-causes.ts';

export const CHECK_JSON_VERSION = 1;

/** One object; addresses are hex strings, bytes hex with blanks, all other numbers integers. */
export function checkJson(result: CheckResult): object {
  return {
    version: CHECK_JSON_VERSION,
    program: result.program,
    seed: result.seed,
    verdict: result.verdict,
    events: result.events,
    reference: figures(result.reference),
    modes: result.modes.map(modeJson),
    masked: MASKED,
  };
}

function figures(metrics: Metrics): object {
  const { mode, exit, instructions, syscalls, trapped, patchedCalls, restarted, tasks, signals } = metrics;
  return {
    mode,
    exit,
    instructions,
    syscalls,
    trapped,
    patchedCalls,
    restarted,
    sites: metrics.sites.length,
    tasks,
    signals,
  };
}

function modeJson({ mode, verdict, divergence, metrics }: ModeResult): object {
  return {
    mode,
    verdict,
    ...figures(metrics),
    estimates: metrics.estimates,
    ...(divergence === undefined ? {} : { divergence: divergenceJson(divergence) }),
  };
}

function divergenceJson(d: Divergence): object {
  return {
    kind: d.kind,
    cause: d.cause,
    ...(d.guard === undefined ? {} : { guard: d.guard }),
    task: d.task,
    tid: d.tid,
    event: d.event,
    before: d.before,
    expected: d.expected,
    found: d.found,
    ...(d.faultAddress === undefined ? {} : { faultAddress: hex(d.faultAddress) }),
    ...(d.suspect === undefined ? {} : { site: suspectJson(d.suspect) }),
    corrupted: d.corrupted.map(({ address, length, expected, found, area }) => ({
      address: hex(address),
      length,
      area,
      expected: toHex(expected, ' '),
      found: toHex(found, ' '),
    })),
    why: wordsOn(d.cause).why,
    advice: wordsOn(d.cause).advice,
  };
}

function suspectJson({ site, original, patched, before, after, refusedByHardened }: SuspectSite): object {
  const lines = (list: readonly CodeLine[]): object[] =>
    list.map(({ address, bytes, text }) => ({ address: hex(address), bytes: toHex(bytes, ' '), text }));
  return {
    address: hex(site.address),
    file: site.file,
    ...(site.symbol === undefined ? {} : { symbol: site.symbol }),
    sysno: site.sysno,
    slot: hex(site.slot),
    original: toHex(original, ' '),
    patched: toHex(patched, ' '),
    is: lines(before),
    became: lines(after),
    ...(refusedByHardened === undefined ? {} : { refusedByHardened }),
  };
}
