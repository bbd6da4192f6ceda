// SPDX-License-Identifier: MIT
//
// Labels of the lesson column, by key, out of the same file as the lessons' own texts.

import { fillIn } from '../../lessons/lesson-texts.ts';
import type { Texts } from '../../lessons/lesson-texts.ts';

export type Say = (key: string, data?: Readonly<Record<string, string | number>>) => string;

/** A key that nobody wrote is shown as it is. */
export function sayer(texts: Texts): Say {
  return (key, data = {}) => fillIn(texts.labels[key] ?? key, data);
}
