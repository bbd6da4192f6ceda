// SPDX-License-Identifier: MIT
//
// The verdict book as a table that one can click: placement by model, for each order of the stores. A cell asks the
// laboratory for its schedule.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../../texts/texts.ts';
import type { RaceRequest } from '../../api.ts';
import { failureOf, MODELS, PLACEMENTS, protocolText, TABLES } from './choices.ts';
import { USUAL_TABLE } from './race-request.ts';

interface VerdictBookProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly onChoose: (request: RaceRequest) => void;
}

const chosen = signal(0);
const hovered = signal<readonly [row: number, column: number] | undefined>(undefined);

export function VerdictBook({ isOpen, onClose, onChoose }: VerdictBookProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const table = TABLES[chosen.value];
  const at = hovered.value;
  const under = at === undefined ? undefined : failureOf(table?.cells[at[0]]?.[at[1]]);
  return (
    <dialog ref={dialog} class="verdict-book" aria-labelledby="book-title" onClose={onClose}>
      <div class="column-head">
        <h2 id="book-title">{t('race.book.title')}</h2>
        <button type="button" aria-label={t('app.close')} onClick={onClose}>
          ✕
        </button>
      </div>
      <p>{t('race.book.what')}</p>
      <div class="book-orders" role="group" aria-label={t('race.protocol')}>
        {TABLES.map(({ patch, protocol }, i) => (
          <button
            key={`${patch} ${protocol}`}
            type="button"
            aria-pressed={i === chosen.value}
            onClick={() => {
              chosen.value = i;
            }}
          >
            {patch === 'hardened' ? t('race.book.hardened', { protocol }) : protocol}
          </button>
        ))}
      </div>
      {table !== undefined && <p class="muted">{protocolText(table.protocol)}</p>}
      <div class="book-scroll" tabIndex={0} role="group" aria-label={t('race.book.title')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('race.placement')}</th>
              {MODELS.map((model) => (
                <th key={model} scope="col">
                  {model}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {PLACEMENTS.map((place, row) => (
              <tr key={place.name}>
                <th scope="row">{t(`race.placement.${place.name}`)}</th>
                {MODELS.map((model, column) => {
                  const failure = failureOf(table?.cells[row]?.[column]);
                  return (
                    <td key={model}>
                      <button
                        type="button"
                        class={failure === undefined ? 'cell-holds' : 'cell-fails'}
                        aria-label={t(failure === undefined ? 'race.book.cell.holds' : 'race.book.cell.fails', {
                          model,
                          placement: t(`race.placement.${place.name}`),
                          signature: failure?.signature,
                        })}
                        onFocus={() => {
                          hovered.value = [row, column];
                        }}
                        onPointerEnter={() => {
                          hovered.value = [row, column];
                        }}
                        onClick={() => {
                          if (table === undefined) return;
                          onChoose({
                            kind: 'race',
                            scenario: 'patch-vs-exec',
                            patch: table.patch,
                            protocol: table.protocol,
                            model,
                            offset: place.offset,
                            page: place.page,
                            table: USUAL_TABLE,
                          });
                        }}
                      >
                        {t(failure === undefined ? 'race.holds' : 'race.fails')}
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="book-line">
        {under === undefined
          ? t('race.book.hint')
          : t('race.book.failure', { signature: under.signature, switches: under.switches })}
      </p>
    </dialog>
  );
}
