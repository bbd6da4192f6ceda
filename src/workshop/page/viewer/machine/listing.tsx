// SPDX-License-Identifier: MIT
//
// How a region disassembles now, with whoever is about to execute one of its instructions.

import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RecordingCursor, State } from '../../../../trace/recording/cursor.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { address, spaced } from '../numbers.ts';
import type { AssemblyLine, AssemblyView } from './assembly-view.ts';

interface ListingProps {
  readonly cursor: RecordingCursor;
  readonly state: State;
  /** Index of the region. */
  readonly region: number;
}

export function Listing({ cursor, state, region }: ListingProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<AssemblyView | undefined>(undefined);
  const lines = useMemo(() => linesOf(cursor, state, region), [cursor, state, region]);

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    let made: AssemblyView | undefined;
    let isGone = false;
    void import('./assembly-view.ts').then(({ openAssembly }) => {
      if (isGone) return;
      made = openAssembly(element, t('table.code'));
      setView(made);
    });
    return () => {
      isGone = true;
      made?.dispose();
    };
  }, []);

  useEffect(() => {
    view?.show(lines ?? []);
  }, [view, lines]);

  return (
    <>
      {lines === undefined && (
        <p class="empty">{t(state.memory[region] === null ? 'table.absent' : 'table.no-listing')}</p>
      )}
      <div class="listing" ref={frame} hidden={lines === undefined} aria-busy={view === undefined} />
    </>
  );
}

function linesOf(cursor: RecordingCursor, state: State, region: number): AssemblyLine[] | undefined {
  const { recording } = cursor;
  const listing = cursor.listing(region, state);
  const about = recording.regions[region];
  if (about === undefined || listing === undefined) return undefined;
  return listing.rows.map(([offset, length, text]) => {
    const at = about.address + offset;
    const here = state.actors.flatMap((actor, i) =>
      actor.rip === at && actor.space === about.space && actor.state !== 'unborn'
        ? [{ name: actorName(recording, i), colour: actorClass(recording, i) }]
        : [],
    );
    return {
      address: address(at),
      text: cursor.text(text),
      bytes: spaced(listing.bytes.slice(2 * offset, 2 * (offset + length))),
      here,
    };
  });
}
