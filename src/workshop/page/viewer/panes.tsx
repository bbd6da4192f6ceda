// SPDX-License-Identifier: MIT
//
// The panes that were chosen, side by side; on a phone one at a time. A column to the left of them is the caller's.

import type { ComponentChildren, JSX } from 'preact';
import { t } from '../../texts/texts.ts';
import { MachinePane } from './machine/machine-pane.tsx';
import { PANES, type PaneName } from './pane-names.ts';
import { SitePane } from './site/site-pane.tsx';
import { TasksPane } from './tasks/tasks-pane.tsx';
import { useViewer } from './viewer-context.ts';

const CONTENT: Readonly<Record<PaneName, () => JSX.Element | null>> = {
  site: SitePane,
  tasks: TasksPane,
  machine: MachinePane,
};

/** Something beside the panes: a lesson, the race laboratory. */
export interface SideColumn {
  readonly label: string;
  readonly content: ComponentChildren;
}

export function Panes({ column }: { column?: SideColumn | undefined }): JSX.Element {
  const { view } = useViewer();
  const panes = view.panes.value;
  const front = column === undefined && view.front.value === 'column' ? 'site' : view.front.value;
  return (
    <>
      <FrontTabs column={column} front={front} />
      <main class={`panes panes-${panes.length} ${column === undefined ? '' : 'has-column'}`} id="panes" tabIndex={-1}>
        {column !== undefined && (
          <section class={`pane column ${front === 'column' ? 'is-front' : ''}`} aria-label={column.label}>
            {column.content}
          </section>
        )}
        {PANES.map((name) => {
          const Content = CONTENT[name];
          const isOpen = panes.includes(name);
          // A phone can show every pane, whatever a larger screen has open.
          if (!isOpen && front !== name) return null;
          return (
            <section
              key={name}
              class={`pane pane-${name} ${front === name ? 'is-front' : ''} ${isOpen ? '' : 'is-closed'}`}
              aria-label={t(`pane.${name}`)}
            >
              <Content />
            </section>
          );
        })}
      </main>
    </>
  );
}

/** Which pane a phone shows. */
function FrontTabs({ column, front }: { column: SideColumn | undefined; front: PaneName | 'column' }): JSX.Element {
  const { view } = useViewer();
  const names: readonly (PaneName | 'column')[] = column === undefined ? PANES : ['column', ...PANES];
  return (
    <nav class="front-tabs" aria-label={t('app.panes')}>
      {names.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === front}
          onClick={() => {
            view.front.value = name;
          }}
        >
          {name === 'column' ? column?.label : t(`pane.${name}`)}
        </button>
      ))}
    </nav>
  );
}

/** Which panes a larger screen shows. */
export function PaneSwitches(): JSX.Element {
  const { view } = useViewer();
  const open = view.panes.value;
  return (
    <div class="pane-switches" role="group" aria-label={t('app.panes')}>
      {PANES.map((name) => (
        <button key={name} type="button" aria-pressed={open.includes(name)} onClick={() => view.toggle(name)}>
          {t(`pane.${name}`)}
        </button>
      ))}
    </div>
  );
}
