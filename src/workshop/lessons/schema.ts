// SPDX-License-Identifier: MIT
//
// Reads a lesson file, version 1, strictly: README.md of this folder describes its fields.

import type { JsonFields, JsonValue } from './json-reader.ts';
import { parseJsonFile } from './json-reader.ts';
import type { Attempt, ByteRule, ChoiceOption, Goal, Lesson, RaceRequest, StepPattern, Task, Value } from './lesson.ts';

const ID = { pattern: /^[a-z][a-z0-9-]{0,39}$/, hint: 'a short name of small letters and hyphens' };
/** Orders of the three steps, or stores; protocols.ts of the explorer reads the rest. */
const PROTOCOL = { pattern: /^[a-z0-9.,:=A-Z-]{1,60}$/, hint: 'a protocol such as "acb" or "abc:without=stopOthers"' };
const MODELS = ['coherent', 'torn-asc', 'torn-any', 'stale'] as const;
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip'] as const; // prettier-ignore

/**
 * @param file its name, for what is said about it
 * @throws TraplineError `LESSON_FILE`: which file, which field, what to do
 */
export function parseLesson(file: string, text: string): Lesson {
  return parseJsonFile(file, text).object((fields) => {
    fields.need('format').oneOf('trapline-lesson');
    const version = fields.need('version');
    if (version.value !== 1)
      version.refuse(`${String(version.value)} is a version that this Trapline does not know; write 1`);
    const lesson = {
      number: fields.need('number').integer(1, 999),
      id: fields.need('id').string(ID),
      concept: fields.need('concept').string(ID),
      minutes: fields.need('minutes').integer(1, 120),
      tasks: fields.need('tasks').list(readTask, { min: 1, max: 12 }),
    };
    const ids = lesson.tasks.map((task) => task.id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice !== undefined) fields.self.refuse(`two tasks are called "${twice}"; rename one`);
    for (const [i, { id, recordingOf }] of lesson.tasks.entries()) {
      const isThere = lesson.tasks.slice(0, i).some((task) => task.id === recordingOf && task.goal.kind === 'order');
      if (recordingOf !== undefined && !isThere)
        fields.self.refuse(`task "${id}" is about "${recordingOf}", which is no earlier order; name one of the lesson`);
    }
    return lesson;
  });
}

function readTask(value: JsonValue): Task {
  return value.object((fields) => {
    const goal = readGoal(fields.need('goal'));
    const task: Task = {
      id: fields.need('id').string(ID),
      ...optional(
        'recording',
        fields.maybe('recording', (v) => v.string(ID)),
      ),
      ...optional(
        'recordingOf',
        fields.maybe('recordingOf', (v) => v.string(ID)),
      ),
      ...optional('from', fields.maybe('from', readPattern)),
      ...optional(
        'panes',
        fields.maybe('panes', (v) => v.list((pane) => pane.string(ID), { min: 1, max: 3 })),
      ),
      goal,
      needsServer: fields.maybe('needsServer', (v) => v.boolean()) ?? false,
      solution: readSolution(fields.need('solution'), goal),
      wrong: readAttempt(fields.need('wrong'), goal),
    };
    if (task.recordingOf !== undefined && task.recording === undefined)
      value.refuse('an answer may have no recording; add "recording" beside "recordingOf", for that case');
    if (needsRecording(goal) && task.recording === undefined)
      value.refuse('its goal looks at a recording, and it names none; add "recording"');
    return task;
  });
}

function needsRecording(goal: Goal): boolean {
  return goal.kind === 'moment' || (goal.kind === 'answer' && looksAtSteps(goal.value));
}

function looksAtSteps(value: Value): boolean {
  if ('minus' in value) return value.minus.some(looksAtSteps);
  if ('slotOf' in value) return looksAtSteps(value.slotOf);
  if ('slotIndexOf' in value) return looksAtSteps(value.slotIndexOf);
  return !('number' in value) && !('lengthOf' in value);
}

function readGoal(value: JsonValue): Goal {
  return value.object((fields): Goal => {
    const kind = fields.need('kind').oneOf('moment', 'answer', 'bytes', 'choice', 'order', 'code');
    switch (kind) {
      case 'moment':
        return { kind, where: readPattern(fields.need('where')) };
      case 'answer':
        return {
          kind,
          value: readValue(fields.need('value')),
          base: fields.maybe('hexadecimal', (v) => v.boolean()) === true ? 16 : 10,
        };
      case 'bytes':
        return {
          kind,
          start: hex(fields.need('start')),
          address: fields.need('address').address(),
          rules: fields.need('rules').list(readRule, { min: 1, max: 16 }),
        };
      case 'choice':
        return readChoice(fields);
      case 'order':
        return {
          kind,
          verdict: fields.need('verdict').oneOf('holds', 'fails'),
          guards: fields.need('guards').list((v) => v.bytes(1)[0] ?? 0, { min: 1, max: 20 }),
          models: fields.need('models').list((v) => v.oneOf(...MODELS), { min: 1, max: 4 }),
          ...optional(
            'order',
            fields.maybe('order', (v) => v.string(PROTOCOL)),
          ),
          ...optional(
            'model',
            fields.maybe('model', (v) => v.oneOf(...MODELS)),
          ),
          ...optional(
            'otherGuardThan',
            fields.maybe('otherGuardThan', (v) => v.bytes(1)[0] ?? 0),
          ),
        };
      case 'code':
        return {
          kind,
          start: fields.need('start').string(),
          judge: fields.need('judge').oneOf('false-match', 'differs'),
        };
    }
  });
}

function readChoice(fields: JsonFields): Goal {
  const options = fields.need('options').list(readOption, { min: 2, max: 8 });
  const rules = fields.maybe('rules', (v) => v.list(readRule, { min: 1, max: 16 }));
  const verdict = fields.maybe('verdict', (v) => v.oneOf('holds', 'fails'));
  if ((rules === undefined) === (verdict === undefined))
    fields.self.refuse('what makes an option right is not said; add either "rules" for bytes or "verdict" for races');
  const without = options.find((o) => (rules === undefined ? o.races : o.bytes) === undefined);
  if (without !== undefined)
    fields.self.refuse(
      `option "${without.id}" has no ${rules === undefined ? '"races"' : '"bytes"'} to be judged by; add them`,
    );
  return { kind: 'choice', options, ...optional('rules', rules), ...optional('verdict', verdict) };
}

function readOption(value: JsonValue): ChoiceOption {
  return value.object((fields) => ({
    id: fields.need('id').string(ID),
    ...optional('bytes', fields.maybe('bytes', hex)),
    ...optional(
      'races',
      fields.maybe('races', (v) => v.list(readRace, { min: 1, max: 4 })),
    ),
  }));
}

function readRace(value: JsonValue): RaceRequest {
  return value.object((fields) => ({
    scenario: fields.need('scenario').string(ID),
    patch: fields.maybe('patch', (v) => v.oneOf('upstream', 'hardened')) ?? 'upstream',
    protocol: fields.maybe('protocol', (v) => v.string(PROTOCOL)) ?? 'abc',
    model: fields.maybe('model', (v) => v.oneOf(...MODELS)) ?? 'coherent',
    offset: fields.maybe('offset', (v) => v.integer(0, 63)) ?? 0,
    guard: fields.maybe('guard', (v) => v.bytes(1)[0]) ?? 6,
  }));
}

function readRule(value: JsonValue): ByteRule {
  return value.object((fields) => {
    const rule = {
      at: fields.need('at').integer(0, 63),
      ...optional(
        'is',
        fields.maybe('is', (v) => v.string()),
      ),
      ...optional(
        'isNot',
        fields.maybe('isNot', (v) => v.string()),
      ),
      ...optional(
        'valid',
        fields.maybe('valid', (v) => v.boolean()),
      ),
      ...optional(
        'length',
        fields.maybe('length', (v) => v.integer(1, 15)),
      ),
      ...optional('bytes', fields.maybe('bytes', hex)),
    };
    if (Object.keys(rule).length === 1)
      value.refuse('asks for nothing; add "is", "isNot", "valid", "length" or "bytes"');
    return rule;
  });
}

function readPattern(value: JsonValue): StepPattern {
  return value.object((fields) => ({
    ...optional(
      'kind',
      fields.maybe('kind', (v) => v.list((k) => k.string(ID), { min: 1, max: 8 })),
    ),
    ...optional(
      'actor',
      fields.maybe('actor', (v) => v.string({ max: 20 })),
    ),
    ...optional(
      'text',
      fields.maybe('text', (v) => v.string({ max: 80 })),
    ),
    ...optional(
      'sysno',
      fields.maybe('sysno', (v) => v.integer(0, 0xffffffff)),
    ),
    ...optional(
      'offset',
      fields.maybe('offset', (v) => v.integer(0, 7)),
    ),
    ...optional(
      'fails',
      fields.maybe('fails', (v) => (v.boolean() ? (true as const) : v.refuse('write true, or take it out'))),
    ),
    ...optional(
      'storesAtStack',
      fields.maybe('storesAtStack', (v) => v.integer(0, 128)),
    ),
    ...optional(
      'nth',
      fields.maybe('nth', (v) => v.integer(-1, 1_000_000)),
    ),
  }));
}

function readValue(value: JsonValue): Value {
  return value.object((fields): Value => {
    const [kind] = ['number', 'count', 'register', 'field', 'minus', 'lengthOf', 'slotOf', 'slotIndexOf'].filter((k) => fields.has(k)); // prettier-ignore
    switch (kind) {
      case 'number':
        return { number: fields.need(kind).address() };
      case 'count':
        return { count: readPattern(fields.need(kind)) };
      case 'register':
        return { register: fields.need(kind).oneOf(...REGISTERS), at: readPattern(fields.need('at')) };
      case 'field':
        return {
          field: fields.need(kind).oneOf('rip', 'sysno', 'result', 'address'),
          at: readPattern(fields.need('at')),
        };
      case 'minus': {
        const [left, right] = fields.need(kind).list(readValue, { min: 2, max: 2 });
        return left === undefined || right === undefined ? value.refuse('write two values') : { minus: [left, right] };
      }
      case 'lengthOf':
        return { lengthOf: hex(fields.need(kind)) };
      case 'slotOf':
        return { slotOf: readValue(fields.need(kind)) };
      case 'slotIndexOf':
        return { slotIndexOf: readValue(fields.need(kind)) };
      default:
        return value.refuse(
          'is no value; write one of number, count, register, field, minus, lengthOf, slotOf, slotIndexOf',
        );
    }
  });
}

function readSolution(value: JsonValue, goal: Goal): Attempt | 'goal' {
  if (value.value !== 'goal') return readAttempt(value, goal);
  if (goal.kind !== 'moment' && goal.kind !== 'answer')
    value.refuse('only a moment or an answer can be worked out; write it');
  return 'goal';
}

/** An attempt at a goal of this kind. */
function readAttempt(value: JsonValue, goal: Goal): Attempt {
  return value.object((fields): Attempt => {
    switch (goal.kind) {
      case 'moment':
        return { kind: 'moment', step: fields.need('step').integer(0, 10_000_000) };
      case 'answer':
        return { kind: 'answer', text: fields.need('text').string({ max: 80 }) };
      case 'bytes':
        return { kind: 'bytes', bytes: hex(fields.need('bytes')) };
      case 'choice': {
        const option = fields.need('option');
        return { kind: 'choice', option: option.oneOf(...goal.options.map((o) => o.id)) };
      }
      case 'order':
        return {
          kind: 'order',
          order: fields.need('order').string(PROTOCOL),
          guard: fields.maybe('guard', (v) => v.bytes(1)[0]) ?? 6,
          model: fields.maybe('model', (v) => v.oneOf(...MODELS)) ?? 'coherent',
        };
      case 'code':
        return { kind: 'code', source: fields.need('source').string() };
    }
  });
}

function hex(value: JsonValue): string {
  return Array.from(value.bytes(), (b) => b.toString(16).padStart(2, '0')).join(' ');
}

/** A field that is left out where there is no value. */
function optional<K extends string, T>(name: K, value: T | undefined): { [key in K]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [key in K]?: T });
}
