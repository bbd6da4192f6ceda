// SPDX-License-Identifier: MIT
//
// The scenario "patch versus execute": one site, a patcher P that has just trapped on it, and threads T0, T1 … about
// to execute it. Each actor's run ends with its first syscall, which must have the program's number.

import { patcher, siteScenario, threads } from './stage.ts';

export const PATCH_VS_EXEC = siteScenario({
  name: 'patch-vs-exec',
  summary: 'one site, a patcher, and threads that execute it',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage), ...threads(stage)],
});
