// SPDX-License-Identifier: MIT
//
// What the assembler knows, beside where code is written.

import type { JSX } from 'preact';
import { MNEMONICS } from '../../lab/encoder.ts';
import { t } from '../../texts/texts.ts';
import './program.css';

const PLAIN = MNEMONICS.filter((name) => !/^j(?!mp)/.test(name));
const JUMPS = MNEMONICS.filter((name) => /^j(?!mp)/.test(name));

const ROWS: readonly (readonly [key: string, code: string])[] = [
  ['instructions', PLAIN.join(' ')],
  ['jumps', JUMPS.join(' ')],
  ['operands', '$39  %eax  8(%rsp)  (%rax,%rcx,4)  text(%rip)  *0x60050'],
  ['directives', '.byte .long .quad .ascii .asciz .skip .equ'],
  ['labels', 'again:   jmp again   1: jmp 1b   jmp 1f'],
];

export function AssemblerReference(): JSX.Element {
  return (
    <details class="assembler-reference">
      <summary>{t('program.reference')}</summary>
      <dl>
        {ROWS.map(([key, code]) => (
          <div key={key}>
            <dt>{t(`program.reference.${key}`)}</dt>
            <dd>
              <code>{code}</code>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
