// SPDX-License-Identifier: MIT
//
// The curve of shares with uPlot: loaded when somebody looks at it.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { RecordingCursor } from '../../../../trace/recording/cursor.ts';
import { t } from '../../../texts/texts.ts';

/** Steps between ticks: there is nothing between two moments. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000];

/** Draws the shares of a race into an element; a click goes to a moment. */
export function plotShares(
  element: HTMLElement,
  cursor: RecordingCursor,
  size: { width: number; height: number },
  goTo: (moment: number) => void,
): uPlot {
  const moments = Array.from({ length: cursor.length + 1 }, (_, i) => i);
  const shares = moments.map((moment) => {
    const { share } = cursor.at(moment);
    return share === null ? null : share * 100;
  });
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--fg'), grid: { stroke: colour('--line') }, ticks: { stroke: colour('--line') } };
  return new uPlot(
    {
      ...size,
      legend: { show: false },
      cursor: { y: false, points: { size: 9 }, bind: { mousemove: () => null, mouseleave: () => null } },
      scales: { x: { time: false }, y: { range: [0, 100] } },
      axes: [
        { ...axis, incrs: WHOLE, label: t('curve.x'), labelSize: 20, size: 34 },
        { ...axis, label: t('curve.y'), labelSize: 20, size: 46 },
      ],
      series: [
        {},
        { stroke: colour('--bad'), width: 2, fill: colour('--bad-bg'), paths: uPlot.paths.stepped?.({ align: 1 }) },
      ],
      hooks: {
        ready: [
          (plot) => plot.over.addEventListener('click', (event) => goTo(Math.round(plot.posToVal(event.offsetX, 'x')))),
        ],
      },
    },
    [moments, shares],
    element,
  );
}
