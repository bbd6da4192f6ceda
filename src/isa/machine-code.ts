// SPDX-License-Identifier: MIT
//
// Machine code assembled by hand: lines of bytes with what they are in GNU syntax, and the linker that fills in jumps
// and addresses. Tests disassemble every line.

/** One instruction. */
export interface CodeLine {
  readonly bytes: readonly number[];
  /** In GNU syntax. */
  readonly text: string;
  readonly label?: string;
  /** The instruction ends with a displacement, relative to its end, of 8 or 32 bits, filled in from the label. */
  readonly jump?: { readonly to: string; readonly size: 1 | 4 };
}

/** Lines that were put together. */
export interface LinkedCode {
  readonly bytes: Uint8Array;
  /** Offsets of the labels. */
  readonly labels: ReadonlyMap<string, number>;
}

/** @param hexBytes the bytes but for a displacement that is filled in */
export function codeLine(
  hexBytes: string,
  text: string,
  extra: Partial<Pick<CodeLine, 'label' | 'jump'>> = {},
): CodeLine {
  return { bytes: hexBytes.split(' ').map((h) => Number.parseInt(h, 16)), text, ...extra };
}

/** @param externals places outside of the code, as offsets from its start */
export function linkCode(lines: readonly CodeLine[], externals: Readonly<Record<string, number>> = {}): LinkedCode {
  const labels = new Map(Object.entries(externals));
  let end = 0;
  for (const l of lines) {
    if (l.label !== undefined) labels.set(l.label, end);
    end += l.bytes.length + (l.jump?.size ?? 0);
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const l of lines) {
    bytes.set(l.bytes, at);
    at += l.bytes.length;
    if (l.jump !== undefined) {
      const target = (labels.get(l.jump.to) ?? 0) - (at + l.jump.size);
      if (l.jump.size === 1) view.setInt8(at, target);
      else view.setInt32(at, target, true);
      at += l.jump.size;
    }
  }
  return { bytes, labels };
}
