// SPDX-License-Identifier: MIT
//
// Bytes to be edited, and the live decode from every entry offset: what a processor finds that begins at +0, +1, …

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useId } from 'preact/hooks';
import { hexBytes } from '../../lessons/json-reader.ts';
import { disassembler, loadDisassembler } from './decoder.ts';
import type { WidgetProps } from './widgets.tsx';

interface Row {
  readonly offset: number;
  readonly texts: readonly string[];
  /** The first instruction there is none. */
  readonly isBad: boolean;
}

export function BytesEditor({ goal, say, isBusy, onAttempt }: WidgetProps<'bytes'>): JSX.Element {
  const text = useSignal(goal.start);
  const id = useId();
  useEffect(() => {
    void loadDisassembler();
  }, []);
  const problem = hexProblem(text.value);
  const bytes = problem === undefined ? hexBytes(text.value) : undefined;
  const rows = bytes === undefined ? [] : decodeAll(bytes, goal.address);
  return (
    <form
      class="task-answer"
      onSubmit={(event) => {
        event.preventDefault();
        if (problem === undefined) onAttempt({ kind: 'bytes', bytes: text.value });
      }}
    >
      <label for={id}>{say('bytes.label', { count: hexBytes(goal.start).length })}</label>
      <div class="answer-row">
        <input
          id={id}
          class="mono bytes-input"
          value={text.value}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={`${id}-help`}
          aria-invalid={problem !== undefined}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="check-button" disabled={isBusy || problem !== undefined}>
          {say('check')}
        </button>
        <button
          type="button"
          onClick={() => {
            text.value = goal.start;
          }}
        >
          {say('reset')}
        </button>
      </div>
      <p id={`${id}-help`} class={problem === undefined ? 'muted small' : 'small refused'}>
        {say(problem ?? 'bytes.help')}
      </p>
      <table class="entry-decode" aria-label={say('bytes.decode')} aria-busy={disassembler.value === undefined}>
        <tbody>
          {rows.map(({ offset, texts, isBad }) => (
            <tr key={offset} class={isBad ? 'is-bad' : ''}>
              <th scope="row" class="mono">
                +{offset}
              </th>
              <td class="mono">{isBad ? say('bytes.fault') : texts.join('; ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </form>
  );
}

function hexProblem(text: string): string | undefined {
  const digits = text.replaceAll(/\s/g, '');
  if (!/^[0-9a-f]*$/i.test(digits)) return 'bytes.no-hex';
  return digits === '' || digits.length % 2 === 1 ? 'bytes.odd' : undefined;
}

/** One row for each entry offset: the instructions from there to the end of the bytes. */
function decodeAll(bytes: Uint8Array, address: number): Row[] {
  const reader = disassembler.value;
  if (reader === undefined) return [];
  return Array.from(bytes.keys()).map((offset) => {
    const found = reader.disassemble(bytes.subarray(offset), address + offset);
    const end = found.findIndex((i) => !i.isValid);
    const texts = (end < 0 ? found : found.slice(0, end + 1)).map((i) => i.text);
    return { offset, texts, isBad: found[0]?.isValid !== true };
  });
}
