// SPDX-License-Identifier: MIT
//
// SARIF 2.1.0 (OASIS): findings in a form that CI systems show beside the code. Only what a binary has: a file, a
// range of its bytes, an address, a function.

export type SarifLevel = 'error' | 'warning' | 'note';

/** A kind of finding. */
export interface SarifRule {
  /** Stable: consumers filter by it. */
  readonly id: string;
  /** One sentence. */
  readonly summary: string;
  /** What it means and what to do. */
  readonly help: string;
  readonly level: SarifLevel;
}

export interface SarifFinding {
  readonly rule: SarifRule;
  readonly message: string;
  /** As the user named it; relative paths stay relative. */
  readonly path: string;
  readonly address: number;
  readonly length: number;
  /** Name of the function, where it is known. */
  readonly function: string | undefined;
  /** What makes it the same finding in the next build. */
  readonly fingerprint: string;
}

/** One run of one tool as a SARIF log. Every rule is listed, whether it found something or not. */
export function sarifLog(
  tool: { readonly name: string; readonly version: string },
  rules: readonly SarifRule[],
  findings: readonly SarifFinding[],
): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: tool.name,
            semanticVersion: tool.version,
            rules: rules.map((r) => ({
              id: r.id,
              shortDescription: { text: r.summary },
              help: { text: r.help },
              defaultConfiguration: { level: r.level },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map((f) => ({
          ruleId: f.rule.id,
          ruleIndex: rules.indexOf(f.rule),
          level: f.rule.level,
          message: { text: f.message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: toUri(f.path) },
                address: { absoluteAddress: f.address, length: f.length, kind: 'instruction' },
              },
              ...(f.function === undefined
                ? {}
                : { logicalLocations: [{ fullyQualifiedName: f.function, kind: 'function' }] }),
            },
          ],
          partialFingerprints: { 'traplineSite/v1': f.fingerprint },
        })),
      },
    ],
  };
}

/** RFC 3986: a relative reference, or a file URI. */
function toUri(path: string): string {
  const encoded = path
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/');
  return path.startsWith('/') ? `file://${encoded}` : encoded;
}
