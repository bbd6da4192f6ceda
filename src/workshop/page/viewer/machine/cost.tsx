// SPDX-License-Identifier: MIT
//
// What the calls so far would take on real hardware, as ranges, each with where its figures come from; beside it the
// same calls if every one of them trapped. Estimates: nothing here is measured on the emulated processor.

import type { JSX } from 'preact';
import type { RecordingCursor } from '../../../../trace/recording/cursor.ts';
import type { CostBasis, CostEventName } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { grouped, range } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';

/** Events that are calls: each could have been served by a trap. */
const CALLS: readonly CostEventName[] = ['native', 'seccomp', 'userDispatch', 'ptrace', 'patched'];

export function Cost(): JSX.Element | null {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  const state = session.state.value;
  if (cursor === undefined || state === undefined) return null;
  const counts = countsUntil(cursor, session.moment.value);
  const step = session.step.value;
  return (
    <div class="cost" tabIndex={0} role="group" aria-label={t('machine.cost')}>
      <p>{t('cost.what')}</p>
      {cursor.recording.costs.map((basis, i) => (
        <Basis key={basis.name} basis={basis} sum={state.costs[i] ?? [0, 0]} counts={counts} last={step?.cost} />
      ))}
    </div>
  );
}

interface BasisProps {
  readonly basis: CostBasis;
  readonly sum: readonly [number, number];
  readonly counts: Readonly<Record<string, number>>;
  readonly last: CostEventName | undefined;
}

function Basis({ basis, sum, counts, last }: BasisProps): JSX.Element {
  const calls = CALLS.reduce((total, name) => total + (counts[name] ?? 0), 0);
  const { seccomp, native } = basis.figures;
  const trapped = [calls * seccomp.low, calls * seccomp.high] as const;
  const direct = [calls * native.low, calls * native.high] as const;
  const most = Math.max(sum[1], trapped[1], 1);
  return (
    <section class="cost-basis">
      <h3>{t(`cost.basis.${basis.name}`)}</h3>
      <Meter label={t('cost.so-far')} value={sum} most={most} name="now" />
      <Meter label={t('cost.if-trapped', { calls })} value={trapped} most={most} name="trap" />
      <Meter label={t('cost.if-native', { calls })} value={direct} most={most} name="native" />
      <table class="facts">
        <thead>
          <tr>
            <th scope="col">{t('cost.event')}</th>
            <th scope="col">{t('cost.count')}</th>
            <th scope="col">{t('cost.each')}</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(basis.figures).flatMap(([name, figure]) =>
            (counts[name] ?? 0) === 0 ? (
              []
            ) : (
              <tr key={name} class={name === last ? 'changed' : ''}>
                <th scope="row" title={figure.how}>
                  {t(`cost.event.${name}`)}
                </th>
                <td>{grouped(counts[name] ?? 0)}</td>
                <td>{range([figure.low, figure.high])}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
      <p class="muted small">{t('cost.source', { source: basis.source })}</p>
    </section>
  );
}

function Meter(props: { label: string; value: readonly [number, number]; most: number; name: string }): JSX.Element {
  const { value, most } = props;
  const share = (part: number): string => `${(100 * part) / most}%`;
  return (
    <div class="meter">
      <span>{props.label}</span>
      <span class="mono">{t('cost.ns', { range: range(value) })}</span>
      <span class="meter-bar" aria-hidden="true">
        <span class={`meter-${props.name}`} style={{ width: share(value[0]) }} />
        <span class={`meter-${props.name} meter-more`} style={{ width: share(value[1] - value[0]) }} />
      </span>
    </div>
  );
}

/** When each event happens. */
type Counts = ReadonlyMap<CostEventName, readonly { readonly at: number }[]>;

const known = new WeakMap<RecordingCursor, Counts>();

/** How often each event has happened by a moment. */
function countsUntil(cursor: RecordingCursor, moment: number): Record<string, number> {
  const moments = known.get(cursor) ?? momentsOf(cursor);
  known.set(cursor, moments);
  return Object.fromEntries([...moments].map(([name, list]) => [name, cursor.countUntil(list, moment)] as const));
}

function momentsOf(cursor: RecordingCursor): Counts {
  const out = new Map<CostEventName, { at: number }[]>();
  for (const [i, { cost }] of cursor.recording.steps.entries()) {
    if (cost === undefined) continue;
    const list = out.get(cost) ?? [];
    list.push({ at: i + 1 });
    out.set(cost, list);
  }
  return out;
}
