// SPDX-License-Identifier: MIT
//
// A list of any length of which only the visible rows exist. All rows have one height; the current one comes into
// view by itself.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

interface VirtualListProps {
  readonly label: string;
  readonly count: number;
  /** Pixels. */
  readonly rowHeight: number;
  /** Index of the row that must be seen; -1: none. */
  readonly current: number;
  readonly row: (index: number) => ComponentChildren;
  /** Of the whole list, in place of `list`. */
  readonly role?: 'list' | 'listbox' | 'table' | 'rowgroup';
  readonly class?: string;
  /** Stays at the top, as wide as the rows. */
  readonly head?: ComponentChildren;
  readonly headHeight?: number;
}

/** Rows beyond the visible ones, so that scrolling shows no gap. */
const SPARE = 6;

export function VirtualList(props: VirtualListProps): JSX.Element {
  const { count, rowHeight, current, headHeight = 0 } = props;
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null || current < 0) return;
    const visible = element.clientHeight - headHeight;
    const from = current * rowHeight;
    // A third from the top: what comes next matters more than what was.
    if (from < element.scrollTop + rowHeight || from + 2 * rowHeight > element.scrollTop + visible) {
      element.scrollTop = Math.max(0, from - visible / 3);
      setTop(element.scrollTop);
    }
  }, [current, count, height, rowHeight, headHeight]);

  const first = Math.max(0, Math.floor(top / rowHeight) - SPARE);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + SPARE);
  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index++) rows.push(props.row(index));
  return (
    <div
      class={`virtual ${props.class ?? ''}`}
      ref={frame}
      tabIndex={0}
      role="group"
      aria-label={props.label}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      {props.head}
      <div class="virtual-rows" role={props.role ?? 'list'} style={{ height: `${count * rowHeight}px` }}>
        <div style={{ transform: `translateY(${first * rowHeight}px)` }} role="presentation">
          {rows}
        </div>
      </div>
    </div>
  );
}
