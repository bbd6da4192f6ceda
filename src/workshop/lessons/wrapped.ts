// SPDX-License-Identifier: MIT
//
// Breaks a paragraph into lines for a terminal of 80 columns.

const COLUMNS = 78;

/** @param indent put before every line */
export function wrapped(paragraph: string, indent = ''): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of paragraph.split(/\s+/)) {
    if (line.length > indent.length && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  lines.push(line);
  return lines.join('\n');
}
