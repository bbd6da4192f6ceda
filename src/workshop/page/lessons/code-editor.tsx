// SPDX-License-Identifier: MIT
//
// Assembly to be edited, with what the assembler and the matcher say about it. A plain text area: it has the system's own
// undo, works with screen readers and on phones.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useId } from 'preact/hooks';
import { toHex } from '../../../base/bytes.ts';
import { assemble } from '../../lab/assembler.ts';
import type { Assembled } from '../../lab/assembler.ts';
import { matchedCode } from '../../lessons/goals.ts';
import { AssemblerReference } from '../program/reference.tsx';
import { disassembler, loadDisassembler } from './decoder.ts';
import type { Say } from './say.ts';
import type { WidgetProps } from './widgets.tsx';

export function CodeEditor({ goal, say, isBusy, onAttempt }: WidgetProps<'code'>): JSX.Element {
  const source = useSignal(goal.start);
  const id = useId();
  useEffect(() => {
    void loadDisassembler();
  }, []);
  const program = assemble(source.value);
  return (
    <form
      class="task-answer"
      onSubmit={(event) => {
        event.preventDefault();
        onAttempt({ kind: 'code', source: source.value });
      }}
    >
      <label for={id}>{say('code.label')}</label>
      <textarea
        id={id}
        class="mono code-input"
        rows={Math.min(20, goal.start.split('\n').length + 2)}
        value={source.value}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        aria-describedby={`${id}-said`}
        aria-invalid={!program.ok}
        onInput={(event) => {
          source.value = event.currentTarget.value;
        }}
      />
      <p id={`${id}-said`} class={program.ok ? 'small muted' : 'small refused'}>
        {program.ok ? say('code.bytes', { count: program.bytes.length }) : say('code.error', { ...program.error })}
      </p>
      <div class="answer-row">
        <button type="submit" class="check-button" disabled={isBusy}>
          {say('check')}
        </button>
        <button
          type="button"
          onClick={() => {
            source.value = goal.start;
          }}
        >
          {say('reset')}
        </button>
      </div>
      {program.ok && <Listing program={program} say={say} />}
      <AssemblerReference />
    </form>
  );
}

/** The bytes as they really decode, and where the matcher sees a site. */
function Listing({ program, say }: { program: Extract<Assembled, { ok: true }>; say: Say }): JSX.Element | null {
  const reader = disassembler.value;
  if (reader === undefined || program.bytes.length === 0) return null;
  const sites = matchedCode(program.bytes);
  return (
    <table class="entry-decode" aria-label={say('code.listing')}>
      <tbody>
        {reader.disassemble(program.bytes, program.address).map(({ address, bytes, text }) => {
          const at = address - program.address;
          const site = sites.find((s) => s.at >= at && s.at < at + bytes.length);
          return (
            <tr key={address}>
              <th scope="row" class="mono">
                {toHex(bytes, ' ')}
              </th>
              <td class="mono">
                {text}
                {site !== undefined && <em class="site-mark"> {say(site.isFalse ? 'code.false' : 'code.true')}</em>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
