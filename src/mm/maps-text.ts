// SPDX-License-Identifier: MIT
//
// What /proc tells of an address space: maps as Linux's fs/proc/task_mmu.c formats it, and the numbers behind
// status and statm. Pages of the platform do not appear.

import { PAGE_SIZE } from '../base/addr.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import { PTE_PRESENT } from './page-table.ts';
import type { SpaceCore } from './space-core.ts';
import { pageUse, visitResident } from './resident-pages.ts';
import { VMA_HIDDEN, VMA_LOCKED } from './vma.ts';
import type { MappedArea } from './vma.ts';

/** Numbers in bytes, named as in /proc/PID/status. */
export interface MemoryUse {
  readonly vmSize: number;
  readonly vmPeak: number;
  readonly vmRss: number;
  readonly vmHwm: number;
  /** The part of vmRss that is file pages or shared memory. */
  readonly rssShared: number;
  readonly vmData: number;
  readonly vmStack: number;
  readonly vmExe: number;
  readonly vmLocked: number;
  /** Page tables. */
  readonly vmPte: number;
}

/** Width to which lines with a name are padded, before one more blank. */
const HEAD_WIDTH = 72;

/** @internal */
export function mapsText(core: SpaceCore, isComplete: boolean): string {
  let text = '';
  const areas = isComplete && core.memory.hiddenArea === null ? core.vmas.items : shownAreas(core);
  for (const area of areas) text += mapsLine(core, area);
  return text;
}

/** The areas that a guest is told of. @internal */
export function shownAreas(core: SpaceCore): readonly MappedArea[] {
  const { hiddenArea } = core.memory;
  const { items } = core.vmas;
  if (hiddenArea === null && core.hiddenAreas === 0) return items;
  return items.filter(({ name, flags }) => name !== hiddenArea && (flags & VMA_HIDDEN) === 0);
}

/** The line of one area. @internal */
export function mapsLine(core: SpaceCore, area: MappedArea): string {
  const { prot, file } = area;
  const device = file?.deviceNumber ?? 0;
  const rest =
    `${(prot & PROT_READ) !== 0 ? 'r' : '-'}${(prot & PROT_WRITE) !== 0 ? 'w' : '-'}${(prot & PROT_EXEC) !== 0 ? 'x' : '-'}${area.shared ? 's' : 'p'} ` +
    `${addressText(area.offset)} ${two(major(device))}:${two(minor(device))} ${file?.inodeNumber ?? 0}`;
  return mapsHead(area.start, area.end, rest, displayName(core, area));
}

/** A line: range, what holds for it, name. @internal */
export function mapsHead(start: number, end: number, rest: string, name: string): string {
  const head = `${addressText(start)}-${addressText(end)} ${rest} `;
  return name === '' ? `${head}\n` : `${head.padEnd(HEAD_WIDTH)} ${name}\n`;
}

/** @internal */
export function memoryUse(core: SpaceCore): MemoryUse {
  const { hiddenArea } = core.memory;
  let hidden = 0;
  let hiddenLocked = 0;
  let hiddenRss = 0;
  let hiddenCode = 0;
  for (const { name, start, end, prot, flags } of core.vmas.items) {
    const isUncounted = (flags & VMA_HIDDEN) !== 0;
    if (name !== hiddenArea && !isUncounted) continue;
    if (!isUncounted) {
      hidden += end - start;
      if ((flags & VMA_LOCKED) !== 0) hiddenLocked += end - start;
      if ((prot & (PROT_EXEC | PROT_WRITE)) === PROT_EXEC) hiddenCode += end - start;
    }
    visitResident(core, start, end, () => (hiddenRss += PAGE_SIZE));
  }
  const vmSize = core.totalPages * PAGE_SIZE - hidden;
  const vmRss = core.residentPages * PAGE_SIZE - hiddenRss;
  return {
    vmSize,
    // How much of a peak was hidden is not known.
    vmPeak: hiddenArea === null ? core.peakPages * PAGE_SIZE : vmSize,
    vmRss,
    vmHwm: hiddenArea === null ? core.peakResidentPages * PAGE_SIZE - hiddenRss : vmRss,
    rssShared: sharedResidentPages(core) * PAGE_SIZE,
    vmData: core.dataPages * PAGE_SIZE,
    vmStack: core.stackPages * PAGE_SIZE,
    vmExe: core.execPages * PAGE_SIZE - hiddenCode,
    vmLocked: core.lockedPages * PAGE_SIZE - hiddenLocked,
    vmPte: hiddenArea === null ? core.table.tableCount * PAGE_SIZE : PAGE_SIZE,
  };
}

function displayName(core: SpaceCore, area: MappedArea): string {
  // A line break in a path is shown in octal, so that each area stays one line.
  if (area.file !== undefined) return area.file.name.replaceAll('\n', '\\012');
  if (area.name !== '') return area.name;
  const region = regionName(core, area);
  return region === '' ? '' : `[${region}]`;
}

/** What an area without a name is known as. @internal */
export function regionName(core: SpaceCore, area: MappedArea): 'heap' | 'stack' | '' {
  if (area.start < core.brk && area.end > core.brkStart) return 'heap';
  return area.start <= core.stackStart && area.end >= core.stackStart ? 'stack' : '';
}

function sharedResidentPages(core: SpaceCore): number {
  const { words } = core.memory;
  let pages = 0;
  for (const area of core.vmas.items) {
    if (area.pages === null) continue;
    for (
      let at = core.table.nextTable(area.start, area.end);
      at < area.end;
      at = core.table.nextTable(at + PAGE_SIZE, area.end)
    ) {
      const low = words[core.table.entry(at)] as number;
      if ((low & PTE_PRESENT) !== 0 && pageUse(core, area, low).isCached) pages++;
    }
  }
  return pages;
}

/** @internal */
export function addressText(a: number): string {
  return a.toString(16).padStart(8, '0');
}

function two(n: number): string {
  return n.toString(16).padStart(2, '0');
}

// dev_t as stat gives it: minor in bits 0-7 and 20-31, major in 8-19.
function major(device: number): number {
  return (device >>> 8) & 0xfff;
}

function minor(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}
