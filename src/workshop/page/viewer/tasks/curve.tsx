// SPDX-License-Identifier: MIT
//
// After each step of a race: which share of all ways to go on fails. The plotting library comes when it is looked at.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { t } from '../../../texts/texts.ts';
import { percent } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';

export function Curve(): JSX.Element | null {
  const { session } = useViewer();
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [isBusy, setBusy] = useState(true);
  const cursor = session.cursor.value;
  const state = session.state.value;
  const moment = session.moment.value;

  useEffect(() => {
    const element = frame.current;
    if (element === null || cursor === undefined) return;
    let isGone = false;
    const observer = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)));
    void import('./plot.ts').then(({ plotShares }) => {
      if (isGone) return;
      plot.current = plotShares(element, cursor, sizeOf(element), (at) => session.goTo(at));
      plot.current.setCursor(place(plot.current, session.moment.peek()));
      observer.observe(element);
      setBusy(false);
    });
    return () => {
      isGone = true;
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [cursor, session]);

  useEffect(() => {
    if (plot.current !== undefined) plot.current.setCursor(place(plot.current, moment));
  }, [moment]);

  const share = state?.share ?? null;
  return (
    <div class="curve">
      <p>{share === null ? t('curve.unknown') : t('curve.now', { share: percent(share) })}</p>
      <div class="curve-frame" ref={frame} role="img" aria-label={t('curve.label')} aria-busy={isBusy} />
      <p class="muted">{t('curve.what')}</p>
    </div>
  );
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(120, element.clientWidth), height: Math.max(120, element.clientHeight) };
}

function place(plot: uPlot, moment: number): { left: number; top: number } {
  return { left: plot.valToPos(moment, 'x'), top: 0 };
}
