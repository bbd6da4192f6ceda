// SPDX-License-Identifier: MIT
//
// /proc/<pid>/numa_maps: the pages of each area by kind, all of them on node 0. Models show_numa_map of
// fs/proc/task_mmu.c, Linux 6.1.

import { PAGE_SIZE } from '../base/addr.ts';
import { addressText, regionName, shownAreas } from './maps-text.ts';
import { PTE_PRESENT } from './page-table.ts';
import { pageUse } from './resident-pages.ts';
import type { SpaceCore } from './space-core.ts';
import type { MappedArea } from './vma.ts';

/** Areas whose pages are the kernel's own. */
const KERNEL_AREAS = ['[vdso]', '[vvar]'];

/** @param policy what holds for areas: all have the task's. @internal */
export function numaMapsText(core: SpaceCore, policy: string): string {
  let text = '';
  for (const area of shownAreas(core)) {
    text += `${addressText(area.start)} ${policy}${nameOf(core, area)}${pagesOf(core, area)}\n`;
  }
  return text;
}

function nameOf(core: SpaceCore, area: MappedArea): string {
  if (area.file !== undefined) return ` file=${area.file.name.replace(/[\n\t= ]/g, octal)}`;
  const region = area.name === '' ? regionName(core, area) : '';
  return region === '' ? '' : ` ${region}`;
}

/** So that each area stays one line of words. */
function octal(char: string): string {
  return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`;
}

function pagesOf(core: SpaceCore, area: MappedArea): string {
  if (KERNEL_AREAS.includes(area.name)) return '';
  const { words, zeroFrame } = core.memory;
  let pages = 0;
  let anonymous = 0;
  let dirty = 0;
  let most = 0;
  for (let at = area.start; (at = core.table.nextTable(at, area.end)) < area.end; at += PAGE_SIZE) {
    const low = words[core.table.entry(at)] as number;
    const frame = low >>> 12;
    if ((low & PTE_PRESENT) === 0 || frame === zeroFrame) continue;
    const { isCached, isDirty, mappings } = pageUse(core, area, low);
    pages++;
    if (!isCached) anonymous++;
    if (isDirty) dirty++;
    most = Math.max(most, mappings);
  }
  if (pages === 0) return '';
  return (
    (anonymous === 0 ? '' : ` anon=${anonymous}`) +
    (dirty === 0 ? '' : ` dirty=${dirty}`) +
    (pages === anonymous || pages === dirty ? '' : ` mapped=${pages}`) +
    (most > 1 ? ` mapmax=${most}` : '') +
    // Files' pages begin on the list of the active ones, others do not.
    (anonymous === 0 ? '' : ` active=${pages - anonymous}`) +
    ` N0=${pages} kernelpagesize_kB=${PAGE_SIZE / 1024}`
  );
}
