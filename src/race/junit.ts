// SPDX-License-Identifier: MIT
//
// Results as JUnit's XML, for CI: one test case a result, with the report where it does not hold.

import type { RaceResult } from './result.ts';
import { fetchName } from './world/model.ts';

/** Text for XML 1.0; control characters are left out, as they cannot be written there. */
function escaped(text: string): string {
  return text.replace(/[^\t\n\r -\uFFFD]/g, '').replace(/[&<>"]/g, (c) => `&#${c.codePointAt(0) ?? 0};`);
}

function testCase({ scenario, parameters: p, verdict, witness }: RaceResult, report: string): string {
  const name = `${p.patch}, ${p.protocol.text}, ${fetchName(p.model)}, offset ${p.offset}, ${p.threads} threads`;
  const open = `  <testcase classname="${escaped(scenario.name)}" name="${escaped(name)}"`;
  if (verdict === 'holds') return `${open}/>`;
  const kind = verdict === 'fails' ? 'failure' : 'error';
  const message = witness?.text ?? 'incomplete: not every interleaving was explored';
  return `${open}>\n    <${kind} message="${escaped(message)}">${escaped(report)}</${kind}>\n  </testcase>`;
}

/** A scenario that was to be explored and was not. */
function notExplored(scenario: string): string {
  const error = '<error message="not explored: the search was told to stop before"/>';
  return `  <testcase classname="${escaped(scenario)}" name="not begun">\n    ${error}\n  </testcase>`;
}

/** A whole file. @param notBegun names of scenarios that were to be explored and were not: errors */
export function junitXml(
  results: readonly { readonly result: RaceResult; readonly text: string }[],
  notBegun: readonly string[] = [],
): string {
  const count = (verdict: RaceResult['verdict']): number => results.filter((r) => r.result.verdict === verdict).length;
  const errors = count('incomplete') + notBegun.length;
  const counts = `tests="${results.length + notBegun.length}" failures="${count('fails')}" errors="${errors}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="trapline race" ${counts}>`,
    ...results.map(({ result, text }) => testCase(result, text)),
    ...notBegun.map(notExplored),
    '</testsuite>\n',
  ].join('\n');
}
