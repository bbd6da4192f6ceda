// SPDX-License-Identifier: MIT
//
// One actor's registers and GS record, with what the last step changed.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { recordRows, type ActorState } from '../../../../trace/recording/cursor.ts';
import { REGISTERS } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { address } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';

/** Whose registers; -1: of whoever made the last step. */
const chosen = signal(-1);

export function Registers(): JSX.Element | null {
  const { session } = useViewer();
  const recording = session.recording.value;
  const state = session.state.value;
  if (recording === undefined || state === undefined) return null;
  const tasks = recording.actors.flatMap(({ role }, i) => (role === 'kernel' ? [] : [i]));
  const maker = session.step.value?.actor ?? tasks[0] ?? 0;
  const index = tasks.includes(chosen.value) ? chosen.value : tasks.includes(maker) ? maker : (tasks[0] ?? 0);
  const actor = state.actors[index];
  const before = session.before.value?.actors[index];
  if (actor === undefined) return null;
  return (
    <div class="registers">
      <div class="choices" role="group" aria-label={t('registers.whose')}>
        {tasks.map((i) => (
          <button
            key={i}
            type="button"
            class={`chip ${actorClass(recording, i)}`}
            aria-pressed={i === index}
            onClick={() => {
              chosen.value = i === chosen.value ? -1 : i;
            }}
          >
            {actorName(recording, i)}
          </button>
        ))}
      </div>
      <RegisterTable actor={actor} before={before} />
      <GsRecord actor={actor} before={before} />
    </div>
  );
}

interface Pair {
  readonly actor: ActorState;
  readonly before: ActorState | undefined;
}

function RegisterTable({ actor, before }: Pair): JSX.Element {
  const rows = [
    ['rip', address(actor.rip), before === undefined ? '' : address(before.rip)] as const,
    ...REGISTERS.map((name) => [name, `0x${actor.regs[name]}`, `0x${before?.regs[name] ?? ''}`] as const),
  ];
  return (
    <table class="facts mono">
      <caption class="visually-hidden">{t('registers.caption')}</caption>
      <tbody>
        {rows.map(([name, value, old]) => {
          const isChanged = before !== undefined && old !== value;
          return (
            <tr key={name} class={isChanged ? 'changed' : ''}>
              <th scope="row">{name}</th>
              <td>
                {value}
                {isChanged && <span class="was">{t('registers.was', { value: old })}</span>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The stub's record: where the trampoline puts what the Sentry must know. */
function GsRecord({ actor, before }: Pair): JSX.Element | null {
  const rows = recordRows(actor);
  if (rows.length === 0) return null;
  return (
    <>
      <h3>{t('registers.record')}</h3>
      <table class="facts mono">
        <tbody>
          {rows.map(([field, value]) => (
            <tr key={field} class={before !== undefined && before.record?.[field] !== value ? 'changed' : ''}>
              <th scope="row" title={t(`record.${field}`)}>
                {field}
              </th>
              <td>0x{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
