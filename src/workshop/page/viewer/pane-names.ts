// SPDX-License-Identifier: MIT
//
// The panes and their tabs by the names that links use.

export const PANES = ['site', 'tasks', 'machine'] as const;
export type PaneName = (typeof PANES)[number];

export const TASK_TABS = ['lanes', 'registers', 'curve'] as const;
export type TaskTab = (typeof TASK_TABS)[number];

export const MACHINE_TABS = ['table', 'calls', 'events', 'cost', 'maps', 'terminal', 'about'] as const;
export type MachineTab = (typeof MACHINE_TABS)[number];
