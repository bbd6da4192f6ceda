// SPDX-License-Identifier: MIT
//
// What the program laboratory is asked and what it answers; the answer's recording goes to the panes.

import { batch, signal } from '@preact/signals';
import type { Recording } from '../../../trace/recording/format.ts';
import { checkRecordings } from '../../../trace/recording/parse.ts';
import type { GuestCode, JobOutcome, JobRequest, Lab, PatchModeName } from '../../api.ts';
import { EXAMPLE_GUESTS, EXAMPLES } from '../../lab/examples.ts';
import { t } from '../../texts/texts.ts';

export const CODE_KINDS = ['asm', 'bytes', 'guest'] as const;
export type CodeKind = (typeof CODE_KINDS)[number];

/** What the form says; numbers as they were typed. */
export interface ProgramForm {
  readonly kind: CodeKind;
  readonly asm: string;
  readonly bytes: string;
  readonly guest: string;
  readonly mode: PatchModeName;
  readonly seed: string;
  readonly stubPreemption: boolean;
  readonly everyInstruction: boolean;
  readonly instructions: string;
}

export const programForm = signal<ProgramForm>({
  kind: 'asm',
  asm: EXAMPLES[0]?.source ?? '',
  bytes: 'b8 27 00 00 00 0f 05 b8 e7 00 00 00 31 ff 0f 05',
  guest: EXAMPLE_GUESTS[0] ?? '',
  mode: 'upstream',
  seed: '',
  stubPreemption: false,
  everyInstruction: true,
  instructions: '',
});

/** How a question stands. */
export type Running =
  | { readonly kind: 'idle' }
  | { readonly kind: 'busy'; readonly text: string; readonly cancel: () => void }
  | {
      readonly kind: 'answered';
      readonly text: string;
      readonly isGood: boolean;
      readonly report?: string;
      readonly output?: string;
    }
  | { readonly kind: 'refused'; readonly sentence: string };

export const running = signal<Running>({ kind: 'idle' });

/** The request that a form stands for; what is as usual is left out, so that recorded answers are found. */
export function programRequest(form: ProgramForm, what: 'run' | 'check'): JobRequest {
  const code: GuestCode =
    form.kind === 'asm'
      ? { asm: form.asm }
      : form.kind === 'guest'
        ? { guest: form.guest }
        : { bytes: form.bytes.replaceAll(/\s/g, '') };
  if (what === 'check') return { kind: 'check', code };
  const scheduling = {
    ...(form.seed !== '' && { seed: Number(form.seed) }),
    ...(form.stubPreemption && form.mode === 'upstream' && { stubPreemption: true }),
  };
  return {
    kind: 'run',
    code,
    mode: form.mode,
    ...(Object.keys(scheduling).length > 0 && { scheduling }),
    ...(form.everyInstruction && { record: { everyInstruction: true } }),
    ...(form.instructions !== '' && { limits: { instructions: Number(form.instructions) } }),
  };
}

/** Runs, and shows what comes back. */
export async function runProgram(
  lab: Lab,
  request: JobRequest,
  show: (recordings: readonly Recording[]) => void,
): Promise<void> {
  if (running.value.kind === 'busy') return;
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  running.value = { kind: 'busy', text: t('program.busy'), cancel };
  const result = await lab.submit(request, {
    signal: abort.signal,
    onProgress(state) {
      const text = state.state === 'queued' ? t('race.queued', { position: state.position }) : t('program.busy');
      running.value = { kind: 'busy', text, cancel };
    },
  });
  if (!result.ok) {
    running.value = { kind: 'refused', sentence: result.sentence };
    return;
  }
  try {
    const recordings = result.recordings.flatMap((one) => checkRecordings(one));
    batch(() => {
      if (recordings.length > 0) show(recordings);
      running.value = answerOf(result.outcome);
    });
  } catch (error) {
    running.value = { kind: 'refused', sentence: error instanceof Error ? error.message : String(error) };
  }
}

function answerOf(outcome: JobOutcome): Running {
  if (outcome.kind === 'check') {
    const { verdict, text } = outcome;
    return { kind: 'answered', text: t(`program.check.${verdict}`), isGood: verdict === 'same', report: text };
  }
  if (outcome.kind !== 'run') return { kind: 'idle' };
  const { exit, ended, sentence, output } = outcome;
  const written = output === '' ? {} : { output };
  if (sentence !== undefined) return { kind: 'answered', text: sentence, isGood: false, ...written };
  const code = 'code' in exit ? exit.code : 0;
  const isGood = ended === undefined && code === 0;
  return { kind: 'answered', text: t('program.ended', { code }), isGood, ...written };
}
