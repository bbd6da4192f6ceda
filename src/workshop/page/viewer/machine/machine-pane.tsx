// SPDX-License-Identifier: MIT
//
// The machine behind the site: trap table and code with disassembly, system calls, what they would cost, mappings, the
// guest's terminal, all events, and what this recording is.

import type { JSX } from 'preact';
import { t } from '../../../texts/texts.ts';
import { MACHINE_TABS, type MachineTab } from '../pane-names.ts';
import { TabPanel, Tabs } from '../tabs.tsx';
import { useViewer } from '../viewer-context.ts';
import { About } from './about.tsx';
import { Calls } from './calls.tsx';
import { Code } from './code.tsx';
import { Cost } from './cost.tsx';
import { Events } from './events.tsx';
import { Maps } from './maps.tsx';
import { TerminalTab } from './terminal-tab.tsx';

const CONTENT: Readonly<Record<MachineTab, () => JSX.Element | null>> = {
  table: Code,
  calls: Calls,
  events: Events,
  cost: Cost,
  maps: Maps,
  terminal: TerminalTab,
  about: About,
};

export function MachinePane(): JSX.Element {
  const { session, view } = useViewer();
  const recording = session.recording.value;
  // A race has no files, no terminal and no log.
  const names = MACHINE_TABS.filter(
    (name) =>
      recording === undefined ||
      !(
        (name === 'calls' && recording.calls.length === 0) ||
        (name === 'maps' && recording.maps.length === 0) ||
        (name === 'terminal' && recording.kind === 'race') ||
        (name === 'cost' && recording.costs.length === 0)
      ),
  );
  const open = names.includes(view.machine.value) ? view.machine.value : 'table';
  const Content = CONTENT[open];
  return (
    <>
      <Tabs
        id="machine"
        label={t('pane.machine')}
        tabs={names.map((name) => ({ name, label: t(`machine.${name}`) }))}
        open={open}
        onOpen={(name) => {
          view.machine.value = name;
        }}
      />
      <TabPanel id="machine" open={open}>
        <Content />
      </TabPanel>
    </>
  );
}
