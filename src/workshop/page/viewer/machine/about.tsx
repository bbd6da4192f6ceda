// SPDX-License-Identifier: MIT
//
// What this recording is: how it was made, what came of it, and what it leaves out.

import type { ComponentChildren, JSX } from 'preact';
import type { RaceRecording, Recording, RunRecording } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { address, grouped, percent } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';

export function About(): JSX.Element | null {
  const { session } = useViewer();
  const recording = session.recording.value;
  if (recording === undefined) return null;
  const { origin } = recording;
  return (
    <div class="about" tabIndex={0} role="group" aria-label={t('machine.about')}>
      <h3>{recording.title}</h3>
      <dl>
        {recording.kind === 'race' ? <RaceRows recording={recording} /> : <RunRows recording={recording} />}
        <Row name={t('about.command')} class="mono">
          {origin.command}
        </Row>
        <Row name={t('about.engine')}>{origin.engine}</Row>
        <Row name={t('about.mode')}>{t(`mode.${origin.mode}`)}</Row>
        <Row name={t('about.steps')}>{grouped(recording.steps.length)}</Row>
        <LeftOutRow recording={recording} />
      </dl>
    </div>
  );
}

function Row(props: { name: string; class?: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd class={props.class}>{props.children}</dd>
    </div>
  );
}

function LeftOutRow({ recording }: { recording: Recording }): JSX.Element | null {
  if (recording.leftOut.length === 0) return null;
  return (
    <Row name={t('about.left-out')}>
      {recording.leftOut.map(({ what, count, at }) => (
        <p key={what}>{t('about.left-out.line', { what: t(`about.left-out.${what}`), count: grouped(count), at })}</p>
      ))}
    </Row>
  );
}

function RunRows({ recording }: { recording: RunRecording }): JSX.Element {
  const { run } = recording;
  const end =
    'code' in run.exit
      ? t('about.exit.code', { code: run.exit.code })
      : t('about.exit.signal', { signal: run.exit.signal });
  return (
    <>
      <Row name={t('about.exit')}>
        {end} {run.ended !== undefined && t('about.ended', { limit: run.ended })}
      </Row>
      <Row name={t('about.calls')}>
        {t('about.calls.line', { all: run.syscalls, trapped: run.trapped, patched: run.patchedCalls })}
      </Row>
      <Row name={t('about.sites')}>
        {t('about.sites.line', { patched: run.patched.length, refused: run.refused.length, restarted: run.restarted })}
      </Row>
      {run.refused.map(({ address: at, rule, traps }) => (
        <Row key={at} name={t('about.refused')}>
          {t('about.refused.line', { address: address(at), rule: t(`rule.${rule}`), traps })}
        </Row>
      ))}
      <Row name={t('about.instructions')}>{grouped(run.instructions)}</Row>
    </>
  );
}

function RaceRows({ recording }: { recording: RaceRecording }): JSX.Element {
  const { race } = recording;
  const { failure } = race;
  const explanation = failure?.explanation ?? null;
  const share = failure?.share ?? null;
  return (
    <>
      <Row name={t('about.verdict')}>
        <span class={`badge badge-${race.verdict === 'holds' ? 'good' : race.verdict === 'fails' ? 'bad' : 'warn'}`}>
          {t(`verdict.${race.verdict}`)}
        </span>
      </Row>
      <Row name={t('about.promise')}>{race.promise}</Row>
      {failure !== null && <Row name={t('about.failure')}>{failure.text}</Row>}
      {explanation !== null && <Row name={t('about.explanation')}>{explanation}</Row>}
      {share !== null && <Row name={t('about.share')}>{t('about.share.line', { share: percent(share) })}</Row>}
      <Row name={t('about.protocol')}>
        {t(`mode.${race.patch}`)}, {race.protocol}
      </Row>
      <Row name={t('about.model')}>{race.model.words}</Row>
      <Row name={t('about.explored')}>
        {race.verdict === 'replayed'
          ? t('about.replayed')
          : t('about.explored.line', { states: grouped(race.states), transitions: grouped(race.transitions) })}
      </Row>
      {race.passesWith !== null && (
        <Row name={t('about.passes-with')}>
          {race.passesWith.length === 0
            ? t('about.passes-with.nothing')
            : race.passesWith.map(({ text, options }) => (
                <p key={options}>
                  {text} <code>{options}</code>
                </p>
              ))}
        </Row>
      )}
      <Row name={t('about.token')} class="mono wrap">
        {race.compactToken}
      </Row>
    </>
  );
}
