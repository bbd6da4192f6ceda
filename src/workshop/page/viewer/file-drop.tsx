// SPDX-License-Identifier: MIT
//
// Opens recordings that somebody picks or drops onto the page.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Recording } from '../../../trace/recording/format.ts';
import { t } from '../../texts/texts.ts';
import { openText } from './open-recording.ts';

/** Why the last file could not be opened, or a link not be followed. */
export const problem = signal<string | undefined>(undefined);

/** A file is held over the page. */
const isOver = signal(false);

export type OnRecordings = (recordings: readonly Recording[], name: string) => void;

async function open(file: File, onOpen: OnRecordings): Promise<void> {
  const opened = await openText(await file.text());
  if (opened.ok) {
    problem.value = undefined;
    onOpen(opened.recordings, file.name);
  } else problem.value = t('app.file.failed', { sentence: opened.sentence });
}

export function FileButton({ onOpen }: { onOpen: OnRecordings }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class="menu-button open-button" onClick={() => input.current?.click()}>
        {t('app.open')}
      </button>
      <input
        ref={input}
        type="file"
        accept=".json,.html"
        class="visually-hidden"
        tabIndex={-1}
        aria-label={t('app.open')}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file !== undefined) void open(file, onOpen);
          event.currentTarget.value = '';
        }}
      />
    </>
  );
}

/** The whole page takes files. */
export function FileDrop({ onOpen }: { onOpen: OnRecordings }): JSX.Element | null {
  useEffect(() => {
    const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;
    const over = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      isOver.value = true;
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) isOver.value = false;
    };
    const drop = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      isOver.value = false;
      const file = event.dataTransfer?.files[0];
      if (file !== undefined) void open(file, onOpen);
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [onOpen]);
  return isOver.value ? (
    <div class="drop-here" data-layer="drop">
      {t('app.open.drop')}
    </div>
  ) : null;
}

/** The last problem, until it is closed. */
export function ProblemLine(): JSX.Element {
  return (
    <div role="alert" class={problem.value === undefined ? 'visually-hidden' : 'problem'} data-layer="problem">
      {problem.value !== undefined && (
        <>
          <p>{problem.value}</p>
          <button
            type="button"
            onClick={() => {
              problem.value = undefined;
            }}
          >
            {t('app.close')}
          </button>
        </>
      )}
    </div>
  );
}
