// SPDX-License-Identifier: MIT
//
// The pieces of a race's memory that a recording keeps: the code around the site, the header of the trap table and its
// slots, in every address space that there ever is; and the stub's code.

import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { syscallName } from '../../abi/sysno.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { LINE_BYTES, looksLikeSite, SITE_BYTES, siteSysno } from '../../isa/syscall-site.ts';
import { hardenedStubCode, upstreamStubCode } from '../../platform/stub-code.ts';
import { STUB_CODE } from '../../platform/stub-layout.ts';
import type { CodeTables } from '../../trace/recording/code-tables.ts';
import { DECODE_BYTES } from '../../trace/recording/format.ts';
import type { Region, Site } from '../../trace/recording/format.ts';
import { TABLE_ENTRIES, TRAP_BYTES, TRAP_CODE_OFFSET, TRAP_USED_BYTES, trapAddress } from '../../usertrap/layout.ts';
import type { ScenarioParameters } from '../scenarios/scenario.ts';
import { readSpace } from '../world/space.ts';
import type { World } from '../world/world.ts';

const ANY = PROT_READ | PROT_EXEC;
/** Of code around a site: its line and the next. */
const TEXT_BYTES = 2 * LINE_BYTES;
const HEADER_BYTES = 16;
const MOST_SLOTS = 16;

type Piece = Omit<Region, 'bytes'>;

/** Regions and sites, and what they hold in each state. */
export class MemoryRegions {
  readonly regions: readonly Region[];
  readonly sites: readonly Site[];
  readonly #world: World;
  readonly #tables: CodeTables;
  readonly #site: number;

  /** @param states all that the recording goes through, the initial one first */
  constructor(
    world: World,
    states: readonly number[],
    site: number,
    parameters: ScenarioParameters,
    tables: CodeTables,
  ) {
    this.#world = world;
    this.#tables = tables;
    this.#site = site;
    const pieces: Piece[] = [];
    const sites: Site[] = [];
    const spaces = Math.max(...states.map((state) => world.shared(state).spaces.length));
    for (let space = 0; space < spaces; space++) {
      sites.push(this.#siteIn(space, pieces.length, states));
      pieces.push({ kind: 'text', name: `text ${space}`, space, ...lines(site) });
      pieces.push(...tablePieces(world, states, space, space));
    }
    this.sites = sites;
    this.regions = [
      ...pieces.map((piece) => ({ ...piece, bytes: hexOf(this.#read(piece, states[0] ?? 0)) })),
      stubRegion(parameters),
    ];
  }

  /** Content of each region in a state, as hex; null where there is none. What is new is disassembled. */
  contents(state: number): (string | null)[] {
    return this.regions.map((region, index) => {
      if (region.kind === 'stub') return region.bytes;
      const bytes = this.#read(region, state);
      if (bytes !== null) this.#disassemble(region, index, bytes);
      return hexOf(bytes);
    });
  }

  /** Takes down how a site decodes with these bytes. */
  addDecode(space: number, bytes: Uint8Array): void {
    const site = this.sites[space];
    if (site === undefined) return;
    const region = this.regions[site.region];
    const before = this.#programBytes(space);
    if (region !== undefined && bytes.length > 0) this.#tables.addDecode(space, bytes, before, site.address);
  }

  /** Bytes from the site's first on, as memory has them. */
  siteBytes(space: number, state: number): Uint8Array {
    const values = this.#world.shared(state).spaces[space];
    return values === undefined ? new Uint8Array(0) : readSpace(values, this.#site, DECODE_BYTES, ANY);
  }

  /** Disassembles what never changes. */
  addStub(): void {
    const index = this.regions.findIndex((region) => region.kind === 'stub');
    const region = this.regions[index];
    if (region !== undefined) this.#tables.addListing(index, fromHex(region.bytes ?? ''), region.address);
  }

  /** A space begins as a copy of the first, or with the same program. */
  #programBytes(space: number): Uint8Array {
    const own = this.siteBytes(space, this.#world.initial);
    return own.length > 0 ? own : this.siteBytes(0, this.#world.initial);
  }

  #siteIn(space: number, region: number, states: readonly number[]): Site {
    const first = states.find((state) => this.#world.shared(state).spaces[space] !== undefined) ?? 0;
    const bytes = this.siteBytes(space, first).subarray(0, SITE_BYTES);
    const program = this.#programBytes(space);
    const values = this.#world.shared(first).spaces[space];
    const around = values === undefined ? bytes : readSpace(values, this.#site - 1, SITE_BYTES + 1, ANY);
    const sysno = looksLikeSite(program) ? siteSysno(program) : null;
    return {
      name: `0x${this.#site.toString(16)}`,
      space,
      address: this.#site,
      sysno,
      ...(sysno === null ? {} : { callName: syscallName(sysno) }),
      lineOffset: this.#site % LINE_BYTES,
      pageOffset: this.#site % PAGE_SIZE,
      region,
      before: toHex(around),
    };
  }

  #read(piece: Piece, state: number): Uint8Array | null {
    const space = this.#world.shared(state).spaces[piece.space];
    if (space === undefined) return null;
    const bytes = readSpace(space, piece.address, piece.length, ANY);
    if (bytes.length < piece.length) return null;
    // A slot that nobody has filled is not there.
    return piece.kind === 'slot' && bytes.every((b) => b === 0) ? null : bytes;
  }

  #disassemble(region: Region, index: number, bytes: Uint8Array): void {
    if (region.kind === 'slot') {
      this.#tables.addSlot(index, bytes, region.address, TRAP_CODE_OFFSET, TRAP_USED_BYTES);
    } else if (region.kind === 'text') {
      const at = this.#site - region.address;
      this.#tables.addListing(index, bytes, region.address, [at, at + SITE_BYTES]);
    }
  }
}

/** From the start of the site's line on. */
function lines(site: number): { address: number; length: number } {
  return { address: site - (site % LINE_BYTES), length: TEXT_BYTES };
}

/** The header, and the slots that are used at any time. */
function tablePieces(world: World, states: readonly number[], space: number, site: number): Piece[] {
  const known = states.flatMap((state) => world.shared(state).spaces[space] ?? []);
  const base = known.find((values) => values.base !== 0)?.base;
  if (base === undefined) return [];
  const pieces: Piece[] = [{ kind: 'table', name: `table ${space}`, space, address: base, length: HEADER_BYTES }];
  const used = known.map((values) => values.next);
  const first = Math.max(1, Math.min(...used.map((next) => Math.max(1, next))));
  // The one at `next` is being filled in.
  const last = Math.min(TABLE_ENTRIES - 1, first + MOST_SLOTS - 1, Math.max(...used));
  for (let index = first; index <= last; index++) {
    const address = trapAddress(base, index);
    const isUsed = known.some((values) => readSpace(values, address, TRAP_BYTES, ANY).some((b) => b !== 0));
    if (isUsed) pieces.push({ kind: 'slot', name: `slot ${index}`, space, address, length: TRAP_BYTES, site });
  }
  return pieces;
}

/** What a trampoline jumps to. A race ends there; it is shown all the same. */
function stubRegion({ patch }: ScenarioParameters): Region {
  const { bytes } = patch === 'upstream' ? upstreamStubCode(false) : hardenedStubCode();
  return { kind: 'stub', name: 'stub', space: 0, address: STUB_CODE, length: bytes.length, bytes: toHex(bytes) };
}

function hexOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : toHex(bytes);
}
