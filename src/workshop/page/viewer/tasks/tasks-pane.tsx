// SPDX-License-Identifier: MIT
//
// Who does what: a lane for each task and for the patcher, the registers and the GS record of one of them, and for a
// race how certain its failure becomes.

import type { JSX } from 'preact';
import { t } from '../../../texts/texts.ts';
import { TASK_TABS } from '../pane-names.ts';
import { TabPanel, Tabs } from '../tabs.tsx';
import { useViewer } from '../viewer-context.ts';
import { Curve } from './curve.tsx';
import { Lanes } from './lanes.tsx';
import { Registers } from './registers.tsx';

export function TasksPane(): JSX.Element {
  const { session, view } = useViewer();
  const recording = session.recording.value;
  const hasCurve = recording?.kind === 'race' && recording.steps.some(({ share }) => share !== undefined);
  const names = TASK_TABS.filter((name) => name !== 'curve' || hasCurve);
  const open = names.includes(view.tasks.value) ? view.tasks.value : 'lanes';
  return (
    <>
      <Tabs
        id="tasks"
        label={t('pane.tasks')}
        tabs={names.map((name) => ({ name, label: t(`tasks.${name}`) }))}
        open={open}
        onOpen={(name) => {
          view.tasks.value = name;
        }}
      />
      <TabPanel id="tasks" open={open}>
        {open === 'lanes' && <Lanes />}
        {open === 'registers' && <Registers />}
        {open === 'curve' && <Curve />}
      </TabPanel>
    </>
  );
}
