// SPDX-License-Identifier: MIT

import * as iced from 'iced-x86';
import { expect, it } from 'vitest';

import { fromHex } from '../../src/base/bytes.ts';
import { Disassembler, formatListing } from '../../src/isa/disassembler.ts';

it('disassembles in GNU syntax, bytes that are no instruction one by one', () => {
  const disassembler = new Disassembler(iced);
  const code = fromHex('b8 27 00 00 00 06 05 ff 24 25 50 00 06 00 65 c7 04 25 2c 00 00 00 02 00 00 00 0f 05');
  expect(formatListing(disassembler.disassemble(code, 0x401000), 0x401005)).toMatchInlineSnapshot(`
    "     401000:  b8 27 00 00 00                 mov $0x27,%eax
    =>   401005:  06                             (bad)
         401006:  05 ff 24 25 50                 add $0x502524ff,%eax
         40100b:  00 06                          add %al,(%rsi)
         40100d:  00 65 c7                       add %ah,-0x39(%rbp)
         401010:  04 25                          add $0x25,%al
         401012:  2c 00                          sub $0x0,%al
         401014:  00 00                          add %al,(%rax)
         401016:  02 00                          add (%rax),%al
         401018:  00 00                          add %al,(%rax)
         40101a:  0f 05                          syscall"
  `);
  expect(disassembler.disassemble(code, 0x401000, 1)).toHaveLength(1);
  expect(disassembler.disassemble(new Uint8Array(0), 0)).toEqual([]);
  disassembler.dispose();
});
