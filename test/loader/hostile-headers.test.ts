// SPDX-License-Identifier: MIT
//
// ELF files with any field changed: nothing is thrown, nothing read that is not there, and what is accepted can be mapped.
// The search notices each check of the reader that is left out, but for those that another one stands behind: a file of no
// headers or of empty segments has nothing to load, and what does not fit is refused by mmap, too.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openChangedSource } from '../mutation/changed-source.ts';
import type { ChangedSource, SourceChange } from '../mutation/changed-source.ts';
import { searchHeaders } from './hostile-headers.ts';
import type * as HostileHeaders from './hostile-headers.ts';

const RUNS = 20_000;
const SEED = 7;

const READER = 'src/loader/elf.ts';
const SOURCE = 'src/loader/byte-source.ts';
const MAPPER = 'src/loader/map-image.ts';

/** Checks, and the text that makes each of them. */
const CHECKS: readonly (SourceChange & { readonly what: string })[] = [
  {
    what: 'a read ends in the file',
    file: SOURCE,
    from: ' || !(offset + length <= source.sizeInBytes())',
    to: '',
  },
  { what: 'a field has 53 bits', file: SOURCE, from: 'Number.isSafeInteger(value) ? value : Number.NaN', to: 'value' },
  {
    what: 'a read gets all',
    file: SOURCE,
    from: 'source.read(offset, bytes) === length ? new Fields(bytes) : undefined',
    to: '(source.read(offset, bytes), new Fields(bytes))',
  },
  { what: 'there is a header', file: READER, from: 'if (header === undefined)', to: 'if (false)' },
  { what: 'there is the table', file: READER, from: 'if (table === undefined)', to: 'if (false)' },
  {
    what: 'its entries have their size',
    file: READER,
    from: 'header.u16(L.Ehdr.phentsize) !== L.Phdr.size',
    to: 'false',
  },
  { what: 'it has 64 KiB at most', file: READER, from: 'bytes > MAX_HEADER_BYTES', to: 'false' },
  { what: 'there is a segment', file: READER, from: 'segments.length === 0', to: 'false' },
  { what: 'segments do not overlap', file: READER, from: 'overlap !== undefined', to: 'false' },
  { what: 'the entry is a user’s address', file: READER, from: '!(entry < USER_HALF_END)', to: 'false' },
  {
    what: 'a segment lies in the file',
    file: READER,
    from: '!(s.offset + s.fileSize <= source.sizeInBytes())',
    to: 'false',
  },
  { what: 'it is no larger there', file: READER, from: '!(s.memorySize >= s.fileSize)', to: 'false' },
  { what: 'it lies in the user half', file: READER, from: '!(s.vaddr + s.memorySize < USER_HALF_END)', to: 'false' },
  { what: 'its alignment is a number', file: READER, from: 'Number.isNaN(s.align) || ', to: '' },
  { what: 'that is a power of two', file: READER, from: ' || (s.align > 1 && !isPowerOfTwo(s.align))', to: '' },
  {
    what: 'offset and address fit',
    file: READER,
    from: 's.offset % PAGE_SIZE !== s.vaddr % PAGE_SIZE',
    to: 'false',
  },
  { what: 'an interpreter’s name is short', file: READER, from: ' && length <= MAX_INTERPRETER', to: '' },
  { what: 'it lies in the file', file: READER, from: 'if (field === undefined)', to: 'if (false)' },
  { what: 'it has an end', file: READER, from: 'field.bytes.at(-1) !== 0', to: 'false' },
  {
    what: 'notes are short',
    file: READER,
    from: 'length <= MAX_NOTE_BYTES ? readExactly(source, offset, length) : undefined',
    to: 'readExactly(source, offset, length)',
  },
  { what: 'notes lie in the file', file: READER, from: 'if (notes === undefined) return 1;', to: '' },
  { what: 'there is a note', file: READER, from: 'while (at + L.Nhdr.size <= length) {', to: 'while (at < length) {' },
  { what: 'it ends among them', file: READER, from: 'if (end > length) break;', to: '' },
  { what: 'so does the space behind it', file: READER, from: 'at + L.Nhdr.size <= length && notes', to: 'notes' },
  { what: 'there is a property', file: READER, from: 'while (at + 8 <= end)', to: 'while (at < end)' },
  { what: 'it ends in its note', file: READER, from: 'if (at + 8 + size > end) break;', to: '' },
  { what: 'it has a word', file: READER, from: ' && size >= 4', to: '' },
  {
    what: 'a segment could be mapped',
    file: MAPPER,
    from: '    if (at < 0) return refused(s, at);\n    // What',
    to: '    // What',
  },
];

describe('an ELF file with any field changed', () => {
  it('is refused, or is what its reader says', () => {
    const { mapped, failure } = searchHeaders(SEED, RUNS);
    expect(failure).toBeUndefined();
    expect(mapped).toBeGreaterThan(1000);
  });

  describe('when a check is missing', () => {
    let source: ChangedSource;
    beforeAll(async () => {
      source = await openChangedSource();
    });
    afterAll(() => source.close());

    it.each(CHECKS)('is found to do harm: $what', async (change) => {
      const changed = (await source.load('test/loader/hostile-headers.ts', change)) as typeof HostileHeaders;
      expect(changed.searchHeaders(SEED, RUNS).failure).toBeDefined();
    });
  });
});
