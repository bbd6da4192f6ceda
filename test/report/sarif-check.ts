// SPDX-License-Identifier: MIT
//
// Reads a SARIF log as strictly as the schema of SARIF 2.1.0 says (OASIS, sarif-schema-2.1.0.json): required
// properties, enumerations, references between parts. Properties that Trapline does not write are errors.

import { expect } from 'vitest';

type Json = Record<string, unknown>;

/** Property names with whether the schema requires them. */
type Shape = Readonly<Record<string, 'required' | 'optional'>>;

const SHAPES = {
  log: { version: 'required', runs: 'required', $schema: 'optional' },
  run: { tool: 'required', results: 'optional', columnKind: 'optional' },
  tool: { driver: 'required' },
  driver: { name: 'required', semanticVersion: 'optional', rules: 'optional' },
  rule: { id: 'required', shortDescription: 'optional', help: 'optional', defaultConfiguration: 'optional' },
  text: { text: 'required' },
  configuration: { level: 'optional' },
  result: {
    message: 'required',
    ruleId: 'optional',
    ruleIndex: 'optional',
    level: 'optional',
    locations: 'optional',
    partialFingerprints: 'optional',
  },
  location: { physicalLocation: 'optional', logicalLocations: 'optional' },
  physicalLocation: { artifactLocation: 'optional', address: 'optional' },
  artifactLocation: { uri: 'optional' },
  address: { absoluteAddress: 'optional', length: 'optional', kind: 'optional' },
  logicalLocation: { fullyQualifiedName: 'optional', kind: 'optional' },
} as const satisfies Record<string, Shape>;

const LEVELS = ['none', 'note', 'warning', 'error'];

function object(value: unknown, shape: keyof typeof SHAPES): Json {
  expect(value, shape).toBeTypeOf('object');
  const fields = value as Json;
  const known: Shape = SHAPES[shape];
  for (const [name, need] of Object.entries(known)) if (need === 'required') expect(fields, shape).toHaveProperty(name);
  for (const name of Object.keys(fields)) expect(Object.keys(known), `${shape}.${name}`).toContain(name);
  return fields;
}

function list(value: unknown): unknown[] {
  expect(Array.isArray(value)).toBe(true);
  return value as unknown[];
}

function checkText(value: unknown): void {
  expect(object(value, 'text')['text']).toMatch(/./);
}

/** A finding as a consumer would show it. */
export interface ShownFinding {
  readonly ruleId: string;
  readonly level: string;
  readonly message: string;
  readonly uri: string;
  readonly address: number;
}

/** Checks a whole log. @returns its findings */
export function checkSarif(value: unknown): ShownFinding[] {
  const log = object(value, 'log');
  expect(log['version']).toBe('2.1.0');
  return list(log['runs']).flatMap((r) => {
    const run = object(r, 'run');
    expect(['utf16CodeUnits', 'unicodeCodePoints']).toContain(run['columnKind']);
    const driver = object(object(run['tool'], 'tool')['driver'], 'driver');
    expect(driver['name']).toMatch(/./);
    expect(driver['semanticVersion']).toMatch(/^\d+\.\d+\.\d+/);
    const ids = list(driver['rules']).map((item) => {
      const rule = object(item, 'rule');
      checkText(rule['shortDescription']);
      checkText(rule['help']);
      expect(LEVELS).toContain(object(rule['defaultConfiguration'], 'configuration')['level']);
      return rule['id'];
    });
    expect(new Set(ids).size).toBe(ids.length);
    return list(run['results']).map((item) => checkResult(item, ids));
  });
}

function checkResult(value: unknown, ids: readonly unknown[]): ShownFinding {
  const result = object(value, 'result');
  checkText(result['message']);
  expect(LEVELS).toContain(result['level']);
  expect(ids[result['ruleIndex'] as number]).toBe(result['ruleId']);
  for (const print of Object.values(result['partialFingerprints'] as Json)) expect(print).toBeTypeOf('string');
  const [location, ...others] = list(result['locations']).map((l) => object(l, 'location'));
  expect(others).toEqual([]);
  const physical = object(location?.['physicalLocation'], 'physicalLocation');
  const uri = object(physical['artifactLocation'], 'artifactLocation')['uri'] as string;
  // A URI reference (RFC 3986): characters, and percent signs with two hexadecimal digits behind them.
  expect(uri).toMatch(/^(?:[\w\-.~!$&'()*+,;=:@/?#]|%[0-9A-F]{2})+$/);
  const address = object(physical['address'], 'address');
  expect(address['absoluteAddress']).toBeGreaterThanOrEqual(0);
  for (const logical of list(location?.['logicalLocations'] ?? []))
    expect(object(logical, 'logicalLocation')['kind']).toBe('function');
  return {
    ruleId: result['ruleId'] as string,
    level: result['level'] as string,
    message: (result['message'] as Json)['text'] as string,
    uri,
    address: address['absoluteAddress'] as number,
  };
}
