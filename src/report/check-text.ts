// SPDX-License-Identifier: MIT
//
// What `trapline check` says: the verdict for each mode, and for a difference what it is, where it comes from and what can
// be done about it.

import { hex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import { syscallName } from '../abi/sysno.ts';
import type { CheckResult, CodeLine, Divergence, ModeResult, SuspectSite } from '../sandbox/check/check-result.ts';
import { MASKED, wordsOn } from './check-causes.ts';
import { costText } from './cost-text.ts';

/** Differing bytes that are shown. */
const MAX_RANGES = 4;

/** The whole report, with a newline at its end. */
export function checkText(result: CheckResult): string {
  const { reference } = result;
  const end = 'code' in reference.exit ? `exit ${reference.exit.code}` : `signal ${reference.exit.signal}`;
  let out = `check: ${result.program}, seed ${result.seed}: ${reference.syscalls} calls of ${reference.tasks} task${reference.tasks === 1 ? '' : 's'}, ${end}\n`;
  for (const mode of result.modes) out += modeText(mode);
  out += `not compared: ${MASKED.map(({ what }) => what).join('; ')}\n`;
  const last = result.modes.at(-1);
  return last === undefined ? out : out + costText(last.metrics.estimates);
}

function modeText({ mode, verdict, divergence, metrics }: ModeResult): string {
  const figures = `${metrics.patchedCalls} of ${metrics.syscalls} calls patched, ${metrics.sites.length} sites`;
  const name = mode.padEnd(8);
  switch (verdict) {
    case 'same':
      return `${name}  same (${figures})\n`;
    case 'slower-only':
      return `${name}  slower only: the same, but most calls trap each time (${figures})\n${refusedText(metrics.refused)}`;
    case 'incomplete':
      return `${name}  incomplete: a limit ended the run; the same up to there (${figures})\n`;
    case 'differs':
      return `${name}  differs\n${divergence === undefined ? '' : divergenceText(divergence)}`;
  }
}

/** Where most of the traps come from. */
function refusedText(refused: ModeResult['metrics']['refused']): string {
  const worst = [...refused].sort((a, b) => b.traps - a.traps).slice(0, MAX_RANGES);
  return worst.map((r) => `    ${r.traps} traps at ${r.address} (${r.bytes}): ${r.rule}\n`).join('');
}

function divergenceText(d: Divergence): string {
  const where = d.event === 0 ? '' : `task ${d.tid} (${d.task}), its event ${d.event}: `;
  let out = `  ${where}${d.kind}\n`;
  for (const line of d.before) out += `      ${line}\n`;
  out += `    expected: ${d.expected}\n`;
  out += `    found:    ${d.found}\n`;
  if (d.faultAddress !== undefined && d.faultAddress !== 0n) out += `    fault address ${hex(d.faultAddress)}\n`;
  if (d.suspect !== undefined) out += suspectText(d.suspect, d.guard);
  for (const range of d.corrupted.slice(0, MAX_RANGES)) {
    const area = range.area === '' ? '' : ` in ${range.area}`;
    out += `    corrupted: ${range.length} bytes at ${hex(range.address)}${area}: ${toHex(range.found, ' ')}`;
    out += ` instead of ${toHex(range.expected, ' ')}${operandNote(range.found, d.suspect)}\n`;
  }
  out += wrapped('why: ', wordsOn(d.cause).why);
  for (const advice of wordsOn(d.cause).advice) out += wrapped('what to do: ', advice);
  return out;
}

/** Says so when bytes are those of the patch. */
function operandNote(found: Uint8Array, suspect: SuspectSite | undefined): string {
  if (suspect === undefined || found.length < 2) return '';
  return toHex(suspect.patched).includes(toHex(found)) ? ' (bytes of the jump)' : '';
}

function suspectText(
  { site, original, patched, before, after, refusedByHardened }: SuspectSite,
  guard: Divergence['guard'],
): string {
  const symbol = site.symbol === undefined ? '' : ` in ${site.symbol}`;
  const file = site.file === '' ? '' : ` of ${site.file}`;
  let out = `    site ${hex(site.address)}${symbol}${file}, patched for ${syscallName(site.sysno)} (${site.sysno}), slot ${hex(site.slot)}\n`;
  out += `      bytes ${toHex(original, ' ')} -> ${toHex(patched, ' ')}\n`;
  out += listing('is:', before);
  out += listing('became:', after);
  const refusal = refusedByHardened === undefined ? '' : `; hardened mode refuses it: ${refusedByHardened}`;
  return `${out}      let through by: b8 <number> stands before 0f 05, and ${guard === undefined ? 'no guard is known' : `upstream lacks the guard ${guard}`}${refusal}\n`;
}

function listing(title: string, lines: readonly CodeLine[]): string {
  return lines
    .map(({ address, bytes, text }, i) => {
      const head = i === 0 ? title.padEnd(8) : ' '.repeat(8);
      return `      ${head}${hex(address)}  ${toHex(bytes, ' ').padEnd(30)} ${text}\n`;
    })
    .join('');
}

const WIDTH = 110;

/** Text in lines, the first with `head`, the others below it. */
function wrapped(head: string, text: string): string {
  let out = '';
  let line = `    ${head}`;
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line.trim() !== '') {
      out += `${line.trimEnd()}\n`;
      line = ' '.repeat(4 + head.length);
    }
    line += `${word} `;
  }
  return `${out}${line.trimEnd()}\n`;
}
