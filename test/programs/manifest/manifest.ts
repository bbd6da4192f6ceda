// SPDX-License-Identifier: MIT
//
// All rows, in the order in which they run: long ones begin early, so that none is left alone at the end.

import type { Row } from './row.ts';
import { COMPILERS } from './rows/compilers.ts';
import { LANGUAGES } from './rows/languages.ts';
import { PROGRAMS } from './rows/programs.ts';
import { SHELLS } from './rows/shells.ts';
import { TEXT } from './rows/text.ts';
import { TOOLS } from './rows/tools.ts';

export const MANIFEST: readonly Row[] = [...COMPILERS, ...TOOLS, ...LANGUAGES, ...TEXT, ...SHELLS, ...PROGRAMS];
