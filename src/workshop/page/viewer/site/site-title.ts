// SPDX-License-Identifier: MIT
//
// A site's name as lists and menus show it.

import type { Site } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { address } from '../numbers.ts';

/** `getpid at 0x401000`. */
export function siteTitle(site: Site): string {
  const what = site.callName ?? (site.sysno === null ? t('site.not-one') : t('site.number', { sysno: site.sysno }));
  return t('site.title', { what, address: address(site.address) });
}
