// SPDX-License-Identifier: MIT
//
// A jump from elsewhere goes to the `syscall` of a site with another number loaded: upstream's recovery runs the
// number of the site's slot (usertrap_amd64.go:313-346 compares rax with 219 only). Scenario 43.

import { SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import { patcher, siteScenario, threads } from './stage.ts';

/** gettid. */
const OTHER = 186;

export const SHARED_TAIL = siteScenario({
  name: 'shared-tail',
  summary: 'a jump goes to the syscall of the site with another number in rax, while it is patched',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [
    patcher(stage),
    { name: 'U', local: stage.actor('U', stage.site + SYSCALL_OFFSET, { notes: { sysno: OTHER } }, OTHER) },
    ...threads(stage),
  ],
});
