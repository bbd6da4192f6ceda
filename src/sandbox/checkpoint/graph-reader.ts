// SPDX-License-Identifier: MIT
//
// Makes the objects of a checkpoint again. The file may be anything: classes and places are looked up by name, fields
// can neither hide methods nor reach prototypes, and counts are held against the bytes that are there.

import { TraplineError } from '../../base/errors.ts';
import { savedClassNamed, savedClassOf } from '../../base/savable.ts';
import type { Revived, SavedClass } from '../../base/savable.ts';
import type { ByteReader } from './bytes.ts';
import { Head, Tag, VIEWS } from './graph-format.ts';
import type { ProcPlace } from './graph-format.ts';
import { isPartOfTree } from './parts.ts';

/** Parts that a machine may be without: what was saved of them is left aside then. */
const OPTIONAL_PARTS: readonly string[] = ['tracer'];

/** A head as it was read. */
interface HeadRow {
  readonly kind: number;
  readonly saved: SavedClass | undefined;
  /** The length of a buffer or view. */
  readonly length: number;
  readonly viewKind: number;
  readonly offset: number;
  readonly buffer: number;
}

/** Where a node of procfs is wanted, until it can be made. */
interface LateUse {
  readonly id: number;
  use(object: object): void;
}

/** Makes a node of procfs. */
export type ProcNodeMaker = (place: ProcPlace) => object;

/** Reads one graph. */
export class GraphReader {
  private readonly input: ByteReader;
  private readonly named: ReadonlyMap<string, object>;
  private readonly texts: string[] = [];
  private readonly shapes: (readonly string[])[] = [];
  private readonly rows: HeadRow[] = [];
  private readonly objects: (object | undefined)[] = [];
  /** Objects of classes that save something else, until their bodies are read. */
  private readonly late: LateUse[] = [];
  private readonly places = new Map<number, ProcPlace>();

  /** @param named the objects of the machine that is restored into */
  constructor(input: ByteReader, named: ReadonlyMap<string, object>) {
    this.input = input;
    this.named = named;
  }

  /**
   * Makes all objects and fills them in.
   * @returns what `GraphWriter.write` was given
   * @throws TraplineError `CHECKPOINT_CORRUPT`; `CHECKPOINT_TREE` where the tree is another one
   */
  read(): Record<string, unknown> {
    this.readTexts();
    this.readShapes();
    this.readHeads();
    this.makeObjects();
    for (let id = 0; id < this.rows.length; id++) this.fill(id);
    if (this.input.left > 0) this.input.fail('there is more than there ought to be');
    const [root] = this.objects;
    if (root === undefined || this.rows[0]?.kind !== Head.plain) return this.input.fail('it has no root');
    return root as Record<string, unknown>;
  }

  /** Makes the nodes of procfs, now that there are processes, and lets every object come to life. */
  finish(makeNode: ProcNodeMaker): void {
    const nodes = new Map<number, object>();
    for (const [id, place] of this.places) nodes.set(id, makeNode(place));
    for (const { id, use } of this.late) {
      const node = nodes.get(id);
      if (node === undefined) this.input.fail('a node of procfs is not described');
      use(node);
    }
    for (const object of this.objects) {
      if (object !== undefined && isRevived(object)) object.revive();
    }
  }

  /** All objects of the classes with this prototype or one that inherits it. */
  *instancesOf(prototype: object): Iterable<object> {
    for (const object of this.objects) if (object !== undefined && prototype.isPrototypeOf(object)) yield object;
  }

  /** The views that the file has made of a buffer of the machine. */
  *viewsOf(buffer: object): Iterable<ArrayBufferView> {
    for (const [id, { kind, buffer: own }] of this.rows.entries()) {
      const view = this.objects[id];
      if (kind === Head.view && this.objects[own] === buffer && ArrayBuffer.isView(view)) yield view;
    }
  }

  private readTexts(): void {
    const input: ByteReader = this.input;
    const count = input.length(2);
    for (let i = 0; i < count; i++) {
      const length = input.length();
      const isWide = input.u8() !== 0;
      const bytes = input.raw(isWide ? 2 * length : length);
      let text = '';
      for (let at = 0; at < length; at++) {
        const unit = isWide ? (bytes[2 * at] as number) | ((bytes[2 * at + 1] as number) << 8) : (bytes[at] as number);
        text += String.fromCharCode(unit);
      }
      this.texts.push(text);
    }
  }

  private readShapes(): void {
    const input: ByteReader = this.input;
    const count = input.length();
    for (let i = 0; i < count; i++) {
      const names: string[] = [];
      const length = input.length();
      for (let k = 0; k < length; k++) {
        const name = this.text();
        if (name === '__proto__' || names.includes(name)) input.fail(`a field cannot be called ${name}`);
        names.push(name);
      }
      this.shapes.push(names);
    }
  }

  private text(): string {
    return this.texts[this.input.count()] ?? this.input.fail('a text is missing');
  }

  private readHeads(): void {
    const input: ByteReader = this.input;
    const count = input.length();
    let buffers = 0;
    for (let id = 0; id < count; id++) {
      const kind = input.u8();
      let saved: SavedClass | undefined;
      let length = 0;
      let viewKind = 0;
      let offset = 0;
      let buffer = 0;
      let object: object | undefined;
      switch (kind) {
        case Head.plain:
        case Head.array:
        case Head.map:
        case Head.set:
        case Head.procNode:
          break;
        case Head.instance:
        case Head.encoded: {
          const name = this.text();
          saved = savedClassNamed(name);
          if (saved === undefined || saved.refused !== undefined) input.fail(`there is no class ${name}`);
          if ((saved.as !== undefined) !== (kind === Head.encoded)) input.fail(`${name} is saved in another way`);
          break;
        }
        case Head.named:
        case Head.filledPlace: {
          const name = this.text();
          object = this.named.get(name);
          if (object === undefined && OPTIONAL_PARTS.includes(name)) {
            object = {};
            break;
          }
          if (object === undefined && isPartOfTree(name)) {
            throw new TraplineError(
              'CHECKPOINT_TREE',
              `the saved machine had another tree as / (${name}): give the one that it had with --root`,
            );
          }
          if (object === undefined) input.fail(`this machine has no ${name}`);
          saved = savedClassOf(object);
          if ((saved?.isPlace === true) !== (kind === Head.filledPlace)) input.fail(`${name} is saved in another way`);
          break;
        }
        case Head.buffer:
          length = input.count();
          buffers += length;
          if (buffers > input.left) input.fail('a buffer is larger than the file');
          break;
        case Head.view:
          viewKind = input.u8();
          offset = input.count();
          length = input.count();
          buffer = input.count();
          if (buffer >= count) input.fail('a view has no buffer');
          break;
        default:
          input.fail(`there is no object of kind ${kind}`);
      }
      this.rows.push({ kind, saved, length, viewKind, offset, buffer });
      this.objects.push(object);
    }
  }

  private makeObjects(): void {
    const { objects, rows } = this;
    for (const [id, row] of rows.entries()) {
      if (row.kind === Head.plain) objects[id] = {};
      else if (row.kind === Head.array) objects[id] = [];
      else if (row.kind === Head.map) objects[id] = new Map();
      else if (row.kind === Head.set) objects[id] = new Set();
      else if (row.kind === Head.buffer) objects[id] = new ArrayBuffer(row.length);
      else if (row.kind === Head.instance && row.saved !== undefined) {
        objects[id] = Object.create(row.saved.prototype) as object;
      }
    }
    for (const [id, row] of rows.entries()) if (row.kind === Head.view) objects[id] = this.makeView(row);
    // Those that are saved as something else are read as that, and made before anything refers to them.
    for (const [id, row] of rows.entries()) if (row.kind === Head.encoded) objects[id] = {};
  }

  private makeView(row: HeadRow): object {
    const buffer = this.objects[row.buffer];
    const type = VIEWS[row.viewKind];
    if (!(buffer instanceof ArrayBuffer) || type === undefined) return this.input.fail('a view has no buffer');
    const unit = type === DataView ? 1 : (type as Uint8ArrayConstructor).BYTES_PER_ELEMENT;
    if (row.offset % unit !== 0 || row.offset + row.length * unit > buffer.byteLength) {
      this.input.fail('a view is larger than its buffer');
    }
    return new (type as new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView)(
      buffer,
      row.offset,
      row.length,
    );
  }

  /** The next value; a node of procfs comes later, through `use`. */
  private value(use: (object: object) => void): unknown {
    const input: ByteReader = this.input;
    const tag = input.u8();
    switch (tag) {
      case Tag.undefined:
        return undefined;
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.positive:
        return input.count();
      case Tag.negative:
        return -input.count();
      case Tag.double:
        return input.f64();
      case Tag.positiveBig:
      case Tag.negativeBig: {
        const digits = input.text();
        if (!/^[0-9a-f]{1,64}$/.test(digits)) input.fail('a number has no digits');
        const magnitude = BigInt(`0x${digits}`);
        return tag === Tag.negativeBig ? -magnitude : magnitude;
      }
      case Tag.text:
        return this.text();
      case Tag.object: {
        const id = input.count();
        const row = this.rows[id];
        if (row === undefined) return input.fail('an object is missing');
        if (row.kind === Head.procNode) {
          this.late.push({ id, use });
          return null;
        }
        return this.objects[id];
      }
      default:
        return input.fail(`there is no value of kind ${tag}`);
    }
  }

  private noLate = (): void => this.input.fail('a node of procfs is where none can be');

  private fill(id: number): void {
    const row = this.rows[id] as HeadRow;
    const object = this.objects[id];
    const input: ByteReader = this.input;
    switch (row.kind) {
      case Head.plain:
        return this.fields(object as object, undefined);
      case Head.array: {
        const array = object as unknown[];
        const length = input.length();
        for (let i = 0; i < length; i++) array.push(this.value(this.noLate));
        return;
      }
      case Head.map: {
        const map = object as Map<unknown, unknown>;
        const length = input.length(2);
        for (let i = 0; i < length; i++) {
          const key = this.value(this.noLate);
          map.set(key, undefined);
          map.set(
            key,
            this.value((late) => map.set(key, late)),
          );
        }
        return;
      }
      case Head.set: {
        const length = input.length();
        for (let i = 0; i < length; i++) (object as Set<unknown>).add(this.value(this.noLate));
        return;
      }
      case Head.instance:
      case Head.filledPlace:
        return this.fields(object as object, row.saved);
      case Head.encoded: {
        const data: Record<string, unknown> = {};
        this.fields(data, undefined);
        this.decode(object as object, row.saved, data);
        return;
      }
      case Head.buffer:
        new Uint8Array(object as ArrayBuffer).set(input.raw(row.length));
        return;
      case Head.procNode: {
        const data: Record<string, unknown> = {};
        this.fields(data, undefined);
        this.places.set(id, data as unknown as ProcPlace);
        return;
      }
    }
  }

  /** The object that others may refer to already takes on what its class makes of the data. */
  private decode(shell: object, saved: SavedClass | undefined, data: object): void {
    const made = saved?.as?.from(data) ?? this.input.fail('a class is missing');
    Object.setPrototypeOf(shell, Object.getPrototypeOf(made) as object);
    Object.assign(shell, made);
  }

  private fields(object: object, saved: SavedClass | undefined): void {
    const names = this.shapes[this.input.count()] ?? this.input.fail('a shape is missing');
    const fields = object as Record<string, unknown>;
    for (const name of names) {
      if (saved !== undefined && (name in saved.prototype || saved.kept?.includes(name) === true)) {
        this.input.fail(`${saved.name} has no field ${name}`);
      }
      const value = this.value((late) => {
        fields[name] = late;
      });
      if (typeof fields[name] === 'function') this.input.fail(`${name} cannot be replaced`);
      fields[name] = value;
    }
    if (saved?.transient === undefined) return;
    for (const [name, make] of Object.entries(saved.transient)) fields[name] = make();
  }
}

function isRevived(object: object): object is Revived {
  return 'revive' in object && typeof object.revive === 'function' && savedClassOf(object) !== undefined;
}
