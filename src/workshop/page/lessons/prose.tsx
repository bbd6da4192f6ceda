// SPDX-License-Identifier: MIT
//
// Sentences of a lesson: what stands between backticks is code.

import type { JSX } from 'preact';

export function Prose({ text }: { text: string }): JSX.Element {
  return <>{text.split('`').map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}
