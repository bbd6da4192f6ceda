// SPDX-License-Identifier: MIT
//
// Signal frames with anything anywhere: what the kernel takes back is what its own rules allow, and nothing else comes of
// it. The search notices each check that is left out, but for one: a frame that cannot be read has no cs to go on with.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openChangedSource } from '../mutation/changed-source.ts';
import type { ChangedSource } from '../mutation/changed-source.ts';
import { searchFrames } from './hostile-frames.ts';
import type * as HostileFrames from './hostile-frames.ts';

const SEED = 5;
/** Of 400 children each. */
const PROGRAMS = 2;

const FILE = 'src/kernel/signals/signal-frame.ts';

/** Checks, and the text that makes each of them. */
const CHECKS = [
  {
    what: 'the FP state is there',
    from: 'if (task.mm.copyIn(Number(fpAddr), fp) !== fp.length) return -EFAULT;',
    to: 'task.mm.copyIn(Number(fpAddr), fp);',
  },
  {
    what: 'MXCSR has no other bits',
    from: '(viewOf(fp).getUint32(FpState.mxcsr, true) & ~MXCSR_MASK) !== 0',
    to: 'false',
  },
  { what: 'SIGKILL is not blocked', from: ', true) & ~UNBLOCKABLE;', to: ', true);' },
  { what: 'flags are a program’s', from: '| (flags & RESTORED_FLAGS);', to: '| flags;' },
  { what: 'another stack is one', from: "typeof restored !== 'string' && ", to: '' },
  {
    what: 'its mode is known',
    from: "  if (mode !== 0 && mode !== 1 && mode !== SS_DISABLE) return 'invalid';\n",
    to: '',
  },
  { what: 'it has room', from: "  if (size < BigInt(MINSIGSTKSZ)) return 'too-small';\n", to: '' },
  { what: 'cs is a program’s', from: '  if (cs !== USER_CS) return cs;\n', to: '' },
  { what: 'ss is a program’s', from: 'strictSs && ss !== USER_SS ? ss : 0', to: '0' },
  { what: 'there is room for FP state', from: 'task.mm.copyOut(fpAddr, fp) !== fp.length || ', to: '' },
  {
    what: 'there is room for the frame',
    from: 'task.mm.copyOut(frame, bytes) !== bytes.length) return false',
    to: 'task.mm.copyOut(frame, bytes) < 0) return false',
  },
].map((check) => ({ ...check, file: FILE }));

describe('a signal frame', () => {
  it.each(['off', 'upstream', 'hardened'] as const)('is taken back as it is, or ends its task (%s)', async (patch) => {
    const { restored, refused, failure } = await searchFrames(patch, SEED, PROGRAMS);
    expect(failure).toBeUndefined();
    expect(restored).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });

  describe('when a check is missing', () => {
    let source: ChangedSource;
    beforeAll(async () => {
      source = await openChangedSource();
    });
    afterAll(() => source.close());

    it.each(CHECKS)('is found to do harm: $what', async (change) => {
      const changed = (await source.load('test/kernel/hostile-frames.ts', change)) as typeof HostileFrames;
      expect((await changed.searchFrames('off', SEED, PROGRAMS)).failure).toBeDefined();
    });
  });
});
