// SPDX-License-Identifier: MIT
//
// The keys, in a dialog.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../../texts/texts.ts';
import { areSingleKeysOn } from './keys.ts';
import { useViewer } from './viewer-context.ts';

const KEYS: readonly (readonly [keys: string, text: string])[] = [
  ['← →', 'left'],
  ['Shift + ← →', 'shift'],
  ['Home End', 'home'],
  ['Space', 'space'],
  ['n p', 'event'],
  ['1 2 3', 'panes'],
  ['Alt + ↑ ↓', 'flip'],
  ['?', 'help'],
];

export function KeyHelp(): JSX.Element {
  const { view } = useViewer();
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = view.isHelpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="help-title"
      onClose={() => {
        view.isHelpOpen.value = false;
      }}
    >
      <h2 id="help-title">{t('help.title')}</h2>
      <dl class="keys">
        {KEYS.map(([keys, text]) => (
          <div key={text}>
            <dt>{keys.split(' ').map((key) => (key === '+' ? ' + ' : <kbd key={key}>{key}</kbd>))}</dt>
            <dd>{t(`help.key.${text}`)}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={areSingleKeysOn.value}
          onChange={(event) => {
            areSingleKeysOn.value = event.currentTarget.checked;
          }}
        />{' '}
        {t('help.single')}
      </label>
      <button
        type="button"
        onClick={() => {
          view.isHelpOpen.value = false;
        }}
      >
        {t('help.close')}
      </button>
    </dialog>
  );
}
