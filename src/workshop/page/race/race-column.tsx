// SPDX-License-Identifier: MIT
//
// The race laboratory beside the panes: what to explore, what came of it, changes that help, and the verdict book.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { RaceFacts, Recording } from '../../../trace/recording/format.ts';
import { t } from '../../texts/texts.ts';
import type { Lab, LabStatus, RaceRequest } from '../../api.ts';
import { percent } from '../viewer/numbers.ts';
import { MODELS, PLACEMENTS, PROTOCOLS, protocolText, SCENARIOS } from './choices.ts';
import { requestOf, withOptions } from './race-request.ts';
import { ask, asking, explored, form, type ShowRecordings } from './race-state.ts';
import { VerdictBook } from './verdict-book.tsx';

interface RaceColumnProps {
  readonly lab: Lab;
  readonly status: LabStatus;
  readonly recording: Recording | undefined;
  readonly show: ShowRecordings;
  readonly onClose: () => void;
}

const isBookOpen = signal(false);

export function RaceColumn({ lab, status, recording, show, onClose }: RaceColumnProps): JSX.Element {
  const explore = (request: RaceRequest): void => void ask(lab, request, show);
  return (
    <div class="race-column">
      <div class="column-head">
        <h2>{t('race.title')}</h2>
        <button type="button" aria-label={t('app.close')} title={t('app.close')} onClick={onClose}>
          ✕
        </button>
      </div>
      <p class={`lab-status lab-${status.kind}`}>{t(`app.lab.${status.kind}`)}</p>
      <p>{t('race.intro')}</p>
      <RaceForm onExplore={explore} />
      <Answer />
      {explored.value.length > 0 && recording !== undefined && !explored.value.includes(recording) && (
        <button
          type="button"
          onClick={() => {
            asking.value = { kind: 'idle' };
            show(explored.value);
          }}
        >
          {t('race.back')}
        </button>
      )}
      {recording?.kind === 'race' && <RaceAbout race={recording.race} onExplore={explore} />}
      <button
        type="button"
        onClick={() => {
          isBookOpen.value = true;
        }}
      >
        {t('race.book.open')}
      </button>
      <VerdictBook
        isOpen={isBookOpen.value}
        onClose={() => {
          isBookOpen.value = false;
        }}
        onChoose={(request) => {
          isBookOpen.value = false;
          form.value = request;
          explore(request);
        }}
      />
    </div>
  );
}

function RaceForm({ onExplore }: { onExplore: (request: RaceRequest) => void }): JSX.Element {
  const now = form.value;
  const place = PLACEMENTS.find(({ offset, page }) => offset === (now.offset ?? 0) && page === (now.page === true));
  const change = (part: Partial<RaceRequest>): void => {
    form.value = { ...now, ...part };
  };
  return (
    <form
      class="race-form"
      onSubmit={(event) => {
        event.preventDefault();
        onExplore(form.value);
      }}
    >
      <Choice
        label={t('race.scenario')}
        value={now.scenario}
        options={SCENARIOS.map((name) => [name, name] as const)}
        onChange={(scenario) => change({ scenario })}
      />
      <Choice
        label={t('race.patch')}
        value={now.patch ?? 'upstream'}
        options={(['upstream', 'hardened'] as const).map((name) => [name, t(`race.patch.${name}`)] as const)}
        onChange={(patch) => change({ patch })}
      />
      <Choice
        label={t('race.protocol')}
        value={now.protocol ?? 'abc'}
        options={withOther(PROTOCOLS, now.protocol).map((name) => [name, protocolText(name)] as const)}
        onChange={(protocol) => change({ protocol })}
      />
      <Choice
        label={t('race.model')}
        value={now.model ?? 'coherent'}
        options={withOther(MODELS, now.model).map((name) => [name, t(`race.model.${name}`)] as const)}
        onChange={(model) => change({ model })}
      />
      <Choice
        label={t('race.placement')}
        value={place?.name ?? ''}
        options={PLACEMENTS.map(({ name }) => [name, t(`race.placement.${name}`)] as const)}
        onChange={(name) => {
          const found = PLACEMENTS.find((each) => each.name === name);
          if (found !== undefined) change({ offset: found.offset, page: found.page });
        }}
      />
      <button type="submit" class="primary-button" aria-disabled={asking.value.kind === 'busy'}>
        {t('race.explore')}
      </button>
    </form>
  );
}

/** A value that came with a recording or a remedy is a choice, too. */
function withOther(names: readonly string[], now: string | undefined): readonly string[] {
  return now === undefined || names.includes(now) ? names : [...names, now];
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

function Choice({ label, value, options, onChange }: ChoiceProps): JSX.Element {
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What came of the last question; read aloud. */
function Answer(): JSX.Element {
  const now = asking.value;
  return (
    <div class={`answer answer-${now.kind} ${now.kind === 'answered' && now.isGood ? 'is-good' : ''}`} role="status">
      {now.kind === 'refused' ? now.sentence : now.kind === 'idle' ? '' : now.text}
    </div>
  );
}

function RaceAbout({ race, onExplore }: { race: RaceFacts; onExplore: (request: RaceRequest) => void }): JSX.Element {
  const { failure, passesWith } = race;
  const request = requestOf(race);
  const share = failure?.share ?? null;
  const flip = failure?.flip ?? null;
  return (
    <section class="race-about">
      <h3>
        {t('race.shown')}{' '}
        <span class={`badge badge-${race.verdict === 'holds' ? 'good' : race.verdict === 'fails' ? 'bad' : 'warn'}`}>
          {t(`verdict.${race.verdict}`)}
        </span>
      </h3>
      <p class="muted">{t('race.shown.what', { protocol: race.protocol, model: race.model.words })}</p>
      {failure !== null && <p>{failure.text}.</p>}
      {share !== null && <p>{t('about.share.line', { share: percent(share) })}.</p>}
      {flip !== null && <p>{t('race.flip', { first: flip[0] + 1, second: flip[1] + 1 })}</p>}
      {passesWith !== null && (
        <>
          <h3>{t('about.passes-with')}</h3>
          {passesWith.length === 0 && <p>{t('about.passes-with.nothing')}</p>}
          <ul class="remedies">
            {passesWith.map(({ text, options }) => {
              const changed = withOptions(request, options);
              return (
                <li key={options}>
                  <button
                    type="button"
                    aria-disabled={changed === undefined}
                    onClick={() => {
                      if (changed === undefined) return;
                      form.value = changed;
                      onExplore(changed);
                    }}
                  >
                    {text} <code>{options}</code>
                  </button>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </section>
  );
}
