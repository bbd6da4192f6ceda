// SPDX-License-Identifier: MIT
//
// A menu of the header: a button that opens a list of choices, each with a line about it.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface MenuItem {
  readonly id: string;
  readonly title: string;
  readonly detail?: string;
}

interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** The one that is open. */
  readonly current: string | undefined;
  readonly onChoose: (id: string) => void;
}

export function Menu({ label, items, current, onChoose }: MenuProps): JSX.Element {
  const isOpen = useSignal(false);
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!isOpen.value) return;
    const onPointerDown = (event: PointerEvent): void => {
      if (!(event.target instanceof Node) || frame.current?.contains(event.target) !== true) isOpen.value = false;
    };
    addEventListener('pointerdown', onPointerDown);
    const first = frame.current?.querySelector<HTMLElement>('[aria-checked=true], [role=menuitemradio]');
    first?.focus();
    return () => removeEventListener('pointerdown', onPointerDown);
  }, [isOpen.value, isOpen]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen.value) return;
    const entries = [...(frame.current?.querySelectorAll<HTMLElement>('[role=menuitemradio]') ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Escape' || event.key === 'Tab') {
      isOpen.value = false;
      button.current?.focus();
      if (event.key === 'Escape') event.preventDefault();
    } else if (to !== undefined) {
      event.preventDefault();
      entries.at(to % entries.length)?.focus();
    }
    event.stopPropagation();
  };

  return (
    <div class="menu" ref={frame} onKeyDown={onKeyDown}>
      <button
        type="button"
        class="menu-button"
        ref={button}
        aria-haspopup="menu"
        aria-expanded={isOpen.value}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        {label} <span aria-hidden="true">▾</span>
      </button>
      {isOpen.value && (
        <div class="menu-list" role="menu" aria-label={label} data-layer="menu">
          {items.map(({ id, title, detail }) => (
            <button
              key={id}
              type="button"
              role="menuitemradio"
              aria-checked={id === current}
              tabIndex={-1}
              onClick={() => {
                isOpen.value = false;
                button.current?.focus();
                onChoose(id);
              }}
            >
              <strong>{title}</strong>
              {detail !== undefined && <span>{detail}</span>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
