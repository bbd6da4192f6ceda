// SPDX-License-Identifier: MIT
//
// Tabs as the ARIA authoring practices describe them: one of them can be reached by Tab, arrows go on.

import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';

export interface TabInfo<Name extends string> {
  readonly name: Name;
  readonly label: string;
}

interface TabsProps<Name extends string> {
  /** Prefix of the elements' ids. */
  readonly id: string;
  readonly label: string;
  readonly tabs: readonly TabInfo<Name>[];
  readonly open: Name;
  readonly onOpen: (name: Name) => void;
}

/** The row of tabs; the panel has the id `${id}-panel`. */
export function Tabs<Name extends string>({ id, label, tabs, open, onOpen }: TabsProps<Name>): JSX.Element {
  const row = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = tabs.findIndex(({ name }) => name === open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    const next = to === undefined ? undefined : tabs[(to + tabs.length) % tabs.length];
    if (next === undefined) return;
    event.preventDefault();
    onOpen(next.name);
    row.current?.querySelector<HTMLElement>(`#${id}-tab-${next.name}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={row} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab.name}
          type="button"
          role="tab"
          id={`${id}-tab-${tab.name}`}
          aria-selected={tab.name === open}
          aria-controls={`${id}-panel`}
          tabIndex={tab.name === open ? 0 : -1}
          onClick={() => onOpen(tab.name)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}

/** What the open tab shows. */
export function TabPanel(props: { id: string; open: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="tab-panel" role="tabpanel" id={`${props.id}-panel`} aria-labelledby={`${props.id}-tab-${props.open}`}>
      {props.children}
    </div>
  );
}
