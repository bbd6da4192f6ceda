// SPDX-License-Identifier: MIT
//
// The trap table's slots and the other code that matters (stub, text around sites), disassembled as it is now; whoever
// is about to execute an instruction stands beside it.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { State } from '../../../../trace/recording/cursor.ts';
import type { Recording, Region } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { address } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';
import { Listing } from './listing.tsx';

/** The region that somebody chose; -1: the one in which the last step was, or the first slot. */
const chosen = signal(-1);

export function Code(): JSX.Element | null {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  const state = session.state.value;
  if (cursor === undefined || state === undefined) return null;
  const { recording } = cursor;
  const shown = recording.regions.flatMap(({ kind }, i) => (kind === 'stack' || kind === 'data' ? [] : [i]));
  const maker = session.step.value?.actor ?? -1;
  const region = shown.includes(chosen.value) ? chosen.value : regionAt(recording, state, maker, shown);
  const space = state.spaces[recording.sites[session.site.value]?.space ?? 0];
  return (
    <div class="code">
      <p class="table-line">
        {space === undefined || space.base === 0
          ? t('table.none')
          : t('table.at', { base: address(space.base), next: space.next })}
        {space?.isLocked === true && <span class="badge badge-warn">{t('table.locked')}</span>}
        {space?.isStopped === true && <span class="badge badge-warn">{t('table.stopped')}</span>}
      </p>
      <select
        aria-label={t('table.choose')}
        value={region}
        onChange={(event) => {
          chosen.value = Number(event.currentTarget.value);
        }}
      >
        {shown.map((i) => (
          <option key={i} value={i}>
            {regionTitle(recording.regions[i], state.memory[i] === null)}
          </option>
        ))}
      </select>
      <Listing cursor={cursor} state={state} region={region} />
    </div>
  );
}

function regionTitle(region: Region | undefined, isAbsent: boolean): string {
  if (region === undefined) return '';
  const data = { name: region.name, address: address(region.address) };
  return t(isAbsent ? 'table.region.absent' : 'table.region', data);
}

/** Where the actor of the last step is, else the first slot that is there, else anything. */
function regionAt(recording: Recording, state: State, actor: number, shown: readonly number[]): number {
  const rip = state.actors[actor]?.rip ?? -1;
  const holds = (i: number): boolean => {
    const region = recording.regions[i];
    return region !== undefined && rip >= region.address && rip < region.address + region.length;
  };
  const slot = shown.find((i) => recording.regions[i]?.kind === 'slot' && state.memory[i] !== null);
  return shown.find((i) => holds(i) && state.memory[i] !== null) ?? slot ?? shown[0] ?? -1;
}
