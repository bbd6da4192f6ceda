// SPDX-License-Identifier: MIT
//
// The columns of the site's sheet: its seven bytes, and which of them begin another line or page.

import type { Site } from '../../../../trace/recording/format.ts';

/** `mov $number,%eax; syscall`. */
export const SITE_BYTES = 7;
const LINE_BYTES = 64;
const PAGE_BYTES = 4096;

export const COLUMNS: readonly number[] = Array.from({ length: SITE_BYTES }, (_, i) => i);

/** The class of a byte that begins a line or a page. */
export function edge(site: Site, offset: number): string {
  if (offset === 0) return '';
  if ((site.pageOffset + offset) % PAGE_BYTES === 0) return 'page-edge';
  return (site.lineOffset + offset) % LINE_BYTES === 0 ? 'line-edge' : '';
}
