// SPDX-License-Identifier: MIT
//
// The program laboratory beside the panes: code of one's own, how it is to be run, and what came of it.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import type { Recording } from '../../../trace/recording/format.ts';
import type { Lab, LabStatus } from '../../api.ts';
import { assemble } from '../../lab/assembler.ts';
import { EXAMPLE_GUESTS, EXAMPLES } from '../../lab/examples.ts';
import { t } from '../../texts/texts.ts';
import { CODE_KINDS, programForm, programRequest, running, runProgram } from './program-state.ts';
import type { ProgramForm } from './program-state.ts';
import { AssemblerReference } from './reference.tsx';

interface ProgramColumnProps {
  readonly lab: Lab;
  readonly status: LabStatus;
  readonly show: (recordings: readonly Recording[]) => void;
  readonly onClose: () => void;
}

type Change = (part: Partial<ProgramForm>) => void;

export function ProgramColumn({ lab, status, show, onClose }: ProgramColumnProps): JSX.Element {
  const form = programForm.value;
  const change: Change = (part) => {
    programForm.value = { ...programForm.value, ...part };
  };
  const problem = problemOf(form);
  const isBusy = running.value.kind === 'busy';
  const start = (what: 'run' | 'check'): void => {
    if (problem === undefined) void runProgram(lab, programRequest(form, what), show);
  };
  return (
    <div class="race-column program-column">
      <div class="column-head">
        <h2>{t('program.title')}</h2>
        <button type="button" aria-label={t('app.close')} title={t('app.close')} onClick={onClose}>
          ✕
        </button>
      </div>
      <p class={`lab-status lab-${status.kind}`}>{t(`app.lab.${status.kind}`)}</p>
      <p>{t('program.intro')}</p>
      {status.kind !== 'server' && <p class="muted small">{t('program.recorded')}</p>}
      <form
        class="race-form"
        onSubmit={(event) => {
          event.preventDefault();
          start('run');
        }}
      >
        <CodeKindChoice form={form} change={change} />
        <Code form={form} change={change} problem={problem} />
        <Settings form={form} change={change} />
        <div class="program-buttons">
          <button type="submit" class="primary-button" aria-disabled={isBusy || problem !== undefined}>
            {t('program.run')}
          </button>
          <button type="button" aria-disabled={isBusy || problem !== undefined} onClick={() => start('check')}>
            {t('program.compare')}
          </button>
        </div>
      </form>
      <Answer />
    </div>
  );
}

/** Why the form cannot be sent; undefined when it can. */
function problemOf(form: ProgramForm): string | undefined {
  if (form.kind === 'bytes') {
    const digits = form.bytes.replaceAll(/\s/g, '');
    return /^([0-9a-f]{2})+$/i.test(digits) ? undefined : t('program.no-bytes');
  }
  if (form.kind !== 'asm') return undefined;
  const program = assemble(form.asm);
  if (!program.ok) return t('program.error', { ...program.error });
  return program.bytes.length === 0 ? t('program.nothing') : undefined;
}

function CodeKindChoice({ form, change }: { form: ProgramForm; change: Change }): JSX.Element {
  const name = useId();
  return (
    <fieldset class="code-kinds">
      <legend>{t('program.code')}</legend>
      {CODE_KINDS.map((kind) => (
        <label key={kind}>
          <input type="radio" name={name} value={kind} checked={form.kind === kind} onChange={() => change({ kind })} />
          {t(`program.kind.${kind}`)}
        </label>
      ))}
    </fieldset>
  );
}

function Code({
  form,
  change,
  problem,
}: {
  form: ProgramForm;
  change: Change;
  problem: string | undefined;
}): JSX.Element {
  const id = useId();
  if (form.kind === 'guest') {
    return (
      <label>
        <span>{t('program.kind.guest')}</span>
        <select value={form.guest} onChange={(event) => change({ guest: event.currentTarget.value })}>
          {EXAMPLE_GUESTS.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    );
  }
  const { kind } = form;
  return (
    <>
      {kind === 'asm' && (
        <label>
          <span>{t('program.example')}</span>
          <select
            value={EXAMPLES.find((example) => example.source === form.asm)?.id ?? ''}
            onChange={(event) => {
              const example = EXAMPLES.find(({ id: name }) => name === event.currentTarget.value);
              if (example !== undefined) change({ asm: example.source });
            }}
          >
            <option value="" disabled>
              {t('program.own')}
            </option>
            {EXAMPLES.map(({ id: name }) => (
              <option key={name} value={name}>
                {t(`program.example.${name}`)}
              </option>
            ))}
          </select>
        </label>
      )}
      <div class="program-source">
        <label for={id}>{t(`program.kind.${kind}`)}</label>
        <textarea
          id={id}
          class="mono code-input"
          rows={kind === 'asm' ? 12 : 4}
          value={form[kind]}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-problem`}
          onInput={(event) => change({ [kind]: event.currentTarget.value })}
        />
        <p id={`${id}-problem`} class={problem === undefined ? 'muted small' : 'refused small'}>
          {problem ?? t(`program.help.${kind}`)}
        </p>
        {kind === 'asm' && <AssemblerReference />}
      </div>
    </>
  );
}

function Settings({ form, change }: { form: ProgramForm; change: Change }): JSX.Element {
  return (
    <>
      <label>
        <span>{t('program.mode')}</span>
        <select
          value={form.mode}
          onChange={(event) => {
            const mode = (['off', 'upstream', 'hardened'] as const).find((m) => m === event.currentTarget.value);
            if (mode !== undefined) change({ mode });
          }}
        >
          {(['off', 'upstream', 'hardened'] as const).map((mode) => (
            <option key={mode} value={mode}>
              {t(`program.mode.${mode}`)}
            </option>
          ))}
        </select>
      </label>
      <details>
        <summary>{t('program.more')}</summary>
        <div class="program-more">
          <NumberField
            label={t('program.seed')}
            value={form.seed}
            most={2 ** 32 - 1}
            onChange={(seed) => change({ seed })}
          />
          <NumberField
            label={t('program.instructions')}
            value={form.instructions}
            most={1e9}
            onChange={(instructions) => change({ instructions })}
          />
          <label class="tick">
            <input
              type="checkbox"
              checked={form.everyInstruction}
              onChange={(event) => change({ everyInstruction: event.currentTarget.checked })}
            />
            {t('program.every')}
          </label>
          <label class="tick">
            <input
              type="checkbox"
              checked={form.stubPreemption}
              disabled={form.mode !== 'upstream'}
              onChange={(event) => change({ stubPreemption: event.currentTarget.checked })}
            />
            {t('program.preemption')}
          </label>
        </div>
      </details>
    </>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: string;
  readonly most: number;
  readonly onChange: (value: string) => void;
}

/** Empty means: as usual. What is no number never gets into the form. */
function NumberField({ label, value, most, onChange }: NumberFieldProps): JSX.Element {
  const typed = useSignal(value);
  return (
    <label>
      <span>{label}</span>
      <input
        inputMode="numeric"
        value={typed.value}
        placeholder={t('program.usual')}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          const text = typed.value.trim();
          if (text === '' || (/^\d{1,10}$/.test(text) && Number(text) <= most && Number(text) > 0)) onChange(text);
        }}
      />
    </label>
  );
}

/** What came of the last run; read aloud. */
function Answer(): JSX.Element {
  const now = running.value;
  const isGood = now.kind === 'answered' && now.isGood;
  return (
    <>
      <div class={`answer answer-${now.kind} ${isGood ? 'is-good' : ''}`} role="status">
        {now.kind === 'refused' ? now.sentence : now.kind === 'idle' ? '' : now.text}
      </div>
      {now.kind === 'busy' && (
        <button type="button" onClick={now.cancel}>
          {t('program.cancel')}
        </button>
      )}
      {now.kind === 'answered' && now.output !== undefined && (
        <>
          <h3>{t('program.output')}</h3>
          <pre class="program-report" tabIndex={0}>
            {now.output}
          </pre>
        </>
      )}
      {now.kind === 'answered' && now.report !== undefined && (
        <pre class="program-report" tabIndex={0}>
          {now.report}
        </pre>
      )}
    </>
  );
}
