// SPDX-License-Identifier: MIT
//
// Differences that `trapline check` found as a SARIF log, for code scanning services: one finding a mode, at the site
// that is to blame.

import { hex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import type { CheckResult, Divergence, ModeResult } from '../sandbox/check/check-result.ts';
import { causes, wordsOn } from './check-causes.ts';
import { sarifLog } from './sarif.ts';
import type { SarifFinding, SarifRule } from './sarif.ts';

const RULES: readonly SarifRule[] = causes().map((cause) => {
  const { title, why, advice } = wordsOn(cause);
  return { id: `check/${cause}`, summary: title, help: [why, ...advice].join('\n'), level: 'error' };
});

/**
 * @param path of the program, as the user named it
 * @param version of Trapline
 */
export function checkSarif(result: CheckResult, path: string, version: string): object {
  const findings = result.modes.flatMap((mode) =>
    mode.divergence === undefined ? [] : [findingOf(result, path, mode, mode.divergence)],
  );
  return sarifLog({ name: 'trapline', version }, RULES, findings);
}

function findingOf(result: CheckResult, path: string, { mode }: ModeResult, d: Divergence): SarifFinding {
  const site = d.suspect?.site;
  const bytes = d.suspect === undefined ? '' : ` (${toHex(d.suspect.original, ' ')})`;
  const at = site === undefined ? '' : ` at ${hex(site.address)}${bytes}`;
  return {
    rule: RULES.find((rule) => rule.id === `check/${d.cause}`) as SarifRule,
    message: `--patch ${mode}: ${d.kind}${at}: expected ${d.expected}; found ${d.found}`,
    path: site === undefined || site.file === '' || site.file === result.program ? path : site.file,
    address: site?.address ?? 0,
    length: SITE_BYTES,
    function: site?.symbol,
    fingerprint: `${mode}/${d.cause}/${site?.symbol ?? hex(site?.address ?? 0)}`,
  };
}
