// SPDX-License-Identifier: MIT
//
// A recording in a page: whatever a guest has chosen to write, it stays the content of one script element, and the page
// gives the recording back as it was.

import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TraplineError } from '../../src/base/errors.ts';
import { recordingPage, recordingsJson } from '../../src/report/recording-page.ts';
import {
  DEFLATED,
  ENCODING_ATTRIBUTE,
  fromBase64,
  PLACEHOLDER,
  scriptJson,
  toBase64,
} from '../../src/trace/recording/embedded.ts';
import type { Recording } from '../../src/trace/recording/format.ts';
import { parseRecordings } from '../../src/trace/recording/parse.ts';
import { recordingOf } from '../trace/recording/samples.ts';

const TEMPLATE = `<!doctype html><html><body><div id="app"></div>${PLACEHOLDER}<script>/* viewer */</script></body></html>`;

/** What an HTML parser takes for the content of the element: everything up to the first `</script` (HTML, 13.2.5.4). */
function contentOf(page: string): { content: string; attributes: string } {
  const [, attributes = '', content = ''] =
    /<script type="application\/json" id="trapline-recording"([^>]*)>(.*?)<\/script/is.exec(page) ?? [];
  return { content, attributes };
}

function readBack(page: string): string {
  const { content, attributes } = contentOf(page);
  if (attributes === '') return content;
  expect(attributes).toBe(` ${ENCODING_ATTRIBUTE}="${DEFLATED}"`);
  return new TextDecoder().decode(inflateSync(fromBase64(content)));
}

/** A recording in which everything that a guest can choose is this text. */
function hostile(text: string): Recording {
  const recording = recordingOf('sample-run.json');
  if (recording.kind !== 'run') throw new Error('no run');
  return {
    ...recording,
    title: text,
    origin: { ...recording.origin, command: text },
    run: { ...recording.run, program: text, argv: [text] },
    actors: recording.actors.map((actor) => ({ ...actor, name: text })),
    calls: recording.calls.map((call) => ({ ...call, enter: text, exit: text })),
    maps: recording.maps.map((maps) => ({ ...maps, text })),
    sites: recording.sites.map((site) => ({ ...site, name: text })),
    texts: recording.texts.map(() => text),
  };
}

const NASTY = [
  '</script><script>alert(1)</script>',
  '<!--<script>',
  '--><img src=x onerror=alert(1)>',
  '</SCRIPT\n>',
  '\u2028\u2029',
  '"\\\u0000\u001f',
  "$& $' $` $1 $$",
  ']]>',
  '\ud800',
];

describe('a page with a recording', () => {
  it.each(NASTY)('gives back what a guest has called %j, and nothing of it is markup', (text) => {
    const recording = hostile(text);
    const page = recordingPage(TEMPLATE, recordingsJson([recording], 't'), deflateSync);
    const { content } = contentOf(page);
    expect(content).not.toMatch(/[<>\u2028\u2029]/);
    expect(parseRecordings(readBack(page))).toEqual([JSON.parse(JSON.stringify(recording))]);
    expect(page.replace(content, '')).toBe(TEMPLATE);
  });

  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = JSON.stringify({ text });
        expect(JSON.parse(scriptJson(json))).toEqual({ text });
        expect(scriptJson(json)).not.toMatch(/[<>\u2028\u2029]/);
      }),
    );
  });

  it('deflates what is large, and gives it back', () => {
    const recording = hostile('</script>'.repeat(200));
    const page = recordingPage(TEMPLATE, recordingsJson([recording, recording], 't'), deflateSync);
    const { content, attributes } = contentOf(page);
    expect(attributes).toContain(DEFLATED);
    expect(content).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(parseRecordings(readBack(page))).toEqual([recording, recording]);
  });

  it('holds several recordings as a set', () => {
    const recording = recordingOf('sample-race.json');
    const set = JSON.parse(recordingsJson([recording, recording], 'two')) as { kind: string; title: string };
    expect([set.kind, set.title]).toEqual(['set', 'two']);
    expect(JSON.parse(recordingsJson([recording], 'one'))).toEqual(recording);
  });

  it('refuses a template without one place for it', () => {
    const json = recordingsJson([recordingOf('sample-race.json')], '');
    for (const template of ['<html></html>', TEMPLATE + PLACEHOLDER]) {
      expect(() => recordingPage(template, json, deflateSync)).toThrow(TraplineError);
    }
  });
});

describe('base64', () => {
  it('is that of everybody else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = toBase64(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64'));
        expect([...fromBase64(text)]).toEqual([...bytes]);
      }),
    );
  });

  it('refuses what is none', () => {
    for (const text of ['a', 'ab=c', 'ab\u00e9c', '====', '<b>=']) expect(() => fromBase64(text)).toThrow(RangeError);
  });
});
