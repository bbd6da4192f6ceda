// SPDX-License-Identifier: MIT
//
// What the last step changed of its actor: registers and GS record, before and after; in a race what could have come in
// its place. Always as high, so that nothing moves while one steps.

import type { JSX } from 'preact';
import { RECORD_FIELDS, REGISTERS } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { address } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';
import { Alternatives } from './alternatives.tsx';

export function StepChanges(): JSX.Element | null {
  const { session } = useViewer();
  const recording = session.recording.value;
  const step = session.step.value;
  const state = session.state.value;
  const before = session.before.value;
  const rows: [string, string, string][] = [];
  const actor = step === undefined ? undefined : state?.actors[step.actor];
  const old = step === undefined ? undefined : before?.actors[step.actor];
  if (actor !== undefined && old !== undefined && actor !== old) {
    if (actor.rip !== old.rip) rows.push(['rip', address(old.rip), address(actor.rip)]);
    for (const name of REGISTERS) {
      if (actor.regs[name] !== old.regs[name]) rows.push([name, `0x${old.regs[name]}`, `0x${actor.regs[name]}`]);
    }
    for (const field of RECORD_FIELDS) {
      const now = actor.record?.[field];
      const was = old.record?.[field];
      if (now !== undefined && now !== was) rows.push([`gs:${field}`, was === undefined ? '' : `0x${was}`, `0x${now}`]);
    }
  }
  return (
    <section class="step-changes" aria-label={t('changes.title')}>
      <h3>
        {t('changes.title')}
        {step !== undefined && recording !== undefined && (
          <span class={`chip ${actorClass(recording, step.actor)}`}>{actorName(recording, step.actor)}</span>
        )}
      </h3>
      {rows.length === 0 ? (
        <p class="muted">{t('changes.none')}</p>
      ) : (
        <dl class="mono">
          {rows.map(([name, was, now]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <span class="old">{was}</span> → <span class="new">{now}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
      <Alternatives />
    </section>
  );
}
