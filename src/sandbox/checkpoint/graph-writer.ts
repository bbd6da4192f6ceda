// SPDX-License-Identifier: MIT
//
// Walks the objects of a stopped machine and writes them down. What no module has named (base/savable.ts), and every
// function, is refused with the way that led to it: state cannot be forgotten, only refused.

import { TraplineError } from '../../base/errors.ts';
import { savedClassOf } from '../../base/savable.ts';
import type { SavedClass } from '../../base/savable.ts';
import { ByteWriter } from './bytes.ts';
import { Head, Tag, VIEWS } from './graph-format.ts';
import type { ProcPlace } from './graph-format.ts';

/** What the writer knows of the machine. */
export interface GraphContext {
  /** Objects that are in every machine, by name. */
  readonly named: ReadonlyMap<object, string>;
  /** Is told of each refusal, where it shall not end the walk. What was written is no checkpoint then. */
  refused?(message: string): void;
  /** Set for a node of procfs. */
  procPlace(object: object): ProcPlace | undefined;
}

/** How an object was found. */
interface Way {
  readonly from: number;
  readonly step: string;
}

/** Writes one graph. */
export class GraphWriter {
  private readonly context: GraphContext;
  private readonly ids = new Map<object, number>();
  private readonly objects: object[] = [];
  private readonly ways: Way[] = [];
  private readonly texts = new Map<string, number>();
  private readonly shapes = new Map<string, number>();
  private readonly shapeList: (readonly string[])[] = [];
  private readonly heads = new ByteWriter();
  private readonly bodies = new ByteWriter();
  private from = -1;

  constructor(context: GraphContext) {
    this.context = context;
  }

  /**
   * The graph of everything that the roots lead to.
   * @throws TraplineError `CHECKPOINT_STATE` naming what cannot be saved and where it is
   */
  write(roots: Readonly<Record<string, unknown>>): Uint8Array {
    this.idOf(roots, 'machine');
    for (let id = 0; id < this.objects.length; id++) {
      this.from = id;
      this.object(this.objects[id] as object);
    }
    const out = new ByteWriter();
    out.count(this.texts.size);
    for (const text of this.texts.keys()) writeText(out, text);
    out.count(this.shapeList.length);
    for (const names of this.shapeList) {
      out.count(names.length);
      for (const name of names) out.count(this.text(name));
    }
    out.count(this.objects.length);
    out.raw(this.heads.finish());
    out.raw(this.bodies.finish());
    return out.finish();
  }

  /** Objects written. */
  get size(): number {
    return this.objects.length;
  }

  private wayTo(id: number): string {
    const steps: string[] = [];
    for (let at = id; at >= 0;) {
      const way = this.ways[at] as Way;
      steps.push(way.step);
      at = way.from;
    }
    return steps.reverse().join('');
  }

  private refuse(step: string, what: string): void {
    const message = `the sandbox cannot be saved: ${what} (at ${this.wayTo(this.from)}${step})`;
    if (this.context.refused === undefined) throw new TraplineError('CHECKPOINT_STATE', message);
    this.context.refused(message);
  }

  private text(text: string): number {
    let number = this.texts.get(text);
    if (number === undefined) {
      number = this.texts.size;
      this.texts.set(text, number);
    }
    return number;
  }

  private value(value: unknown, step: string): void {
    const out = this.bodies;
    switch (typeof value) {
      case 'undefined':
        return out.u8(Tag.undefined);
      case 'boolean':
        return out.u8(value ? Tag.true : Tag.false);
      case 'number':
        return this.number(value);
      case 'bigint': {
        out.u8(value < 0n ? Tag.negativeBig : Tag.positiveBig);
        return out.text((value < 0n ? -value : value).toString(16));
      }
      case 'string':
        out.u8(Tag.text);
        return out.count(this.text(value));
      case 'object':
        if (value === null) return out.u8(Tag.null);
        out.u8(Tag.object);
        return out.count(this.idOf(value, step));
      default:
        // Functions of the machine itself are parts like others.
        if (typeof value === 'function' && this.context.named.has(value)) {
          out.u8(Tag.object);
          return out.count(this.idOf(value, step));
        }
        this.refuse(step, `a ${typeof value} is part of its state`);
        return out.u8(Tag.null);
    }
  }

  private number(value: number): void {
    const out = this.bodies;
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      out.u8(value < 0 ? Tag.negative : Tag.positive);
      out.count(Math.abs(value));
    } else {
      out.u8(Tag.double);
      out.f64(value);
    }
  }

  private idOf(object: object, step: string): number {
    const known = this.ids.get(object);
    if (known !== undefined) return known;
    const id = this.objects.length;
    this.ids.set(object, id);
    this.objects.push(object);
    this.ways.push({ from: this.from, step });
    this.head(object, step);
    return id;
  }

  /** What the object is; what is in it follows when its turn comes. */
  private head(object: object, step: string): void {
    const { heads } = this;
    const name = this.context.named.get(object);
    const saved = savedClassOf(object);
    if (name !== undefined) {
      heads.u8(saved?.isPlace === true ? Head.filledPlace : Head.named);
      heads.count(this.text(name));
    } else if (Array.isArray(object)) heads.u8(Head.array);
    else if (object instanceof Map) heads.u8(Head.map);
    else if (object instanceof Set) heads.u8(Head.set);
    else if (object instanceof ArrayBuffer) {
      heads.u8(Head.buffer);
      heads.count(object.byteLength);
    } else if (ArrayBuffer.isView(object)) {
      const kind = VIEWS.findIndex((type) => Object.getPrototypeOf(object) === type.prototype);
      if (kind < 0) this.refuse(step, `a ${object.constructor.name} is part of its state`);
      heads.u8(Head.view);
      heads.u8(kind);
      heads.count(object.byteOffset);
      heads.count(object instanceof DataView ? object.byteLength : (object as Uint8Array).length);
      // Heads are in the order of their numbers: that of a new buffer comes right after this one.
      heads.count(this.ids.get(object.buffer) ?? this.objects.length);
      this.idOf(object.buffer, `${step}.buffer`);
    } else if (Object.getPrototypeOf(object) === Object.prototype) heads.u8(Head.plain);
    else if (this.context.procPlace(object) !== undefined) heads.u8(Head.procNode);
    else if (saved === undefined) {
      this.refuse(step, `it holds an object of a class that checkpoints do not know, ${object.constructor.name}`);
      heads.u8(Head.plain);
    } else if (saved.refused !== undefined) {
      this.refuse(step, saved.refused);
      heads.u8(Head.plain);
    } else {
      heads.u8(saved.as === undefined ? Head.instance : Head.encoded);
      heads.count(this.text(saved.name));
    }
  }

  private object(object: object): void {
    const { bodies } = this;
    const saved = savedClassOf(object);
    if (this.context.named.has(object)) {
      if (saved?.isPlace === true) this.fields(object, saved);
    } else if (Array.isArray(object)) {
      bodies.count(object.length);
      for (let i = 0; i < object.length; i++) this.value(object[i], `[${i}]`);
    } else if (object instanceof Map) {
      bodies.count(object.size);
      for (const [key, value] of object) {
        this.value(key, '.key');
        this.value(value, `.get(${typeof key === 'object' ? '…' : String(key)})`);
      }
    } else if (object instanceof Set) {
      bodies.count(object.size);
      for (const value of object) this.value(value, '.member');
    } else if (object instanceof ArrayBuffer) bodies.raw(new Uint8Array(object));
    else if (ArrayBuffer.isView(object)) return;
    else {
      const place = this.context.procPlace(object);
      if (place !== undefined) this.fields(place, undefined);
      else if (saved?.as !== undefined) this.fields(saved.as.to(object as never), undefined);
      else this.fields(object, saved);
    }
  }

  private fields(object: object, saved: SavedClass | undefined): void {
    const fields = object as Record<string, unknown>;
    let names = Object.keys(object);
    if (saved?.transient !== undefined) {
      const { transient } = saved;
      names = names.filter((name) => !Object.hasOwn(transient, name));
    }
    if (saved?.isPlace === true && this.context.named.has(object)) {
      names = names.filter((name) => saved.kept?.includes(name) !== true && typeof fields[name] !== 'function');
    }
    const key = names.join();
    let shape = this.shapes.get(key);
    if (shape === undefined) {
      shape = this.shapeList.length;
      this.shapes.set(key, shape);
      this.shapeList.push(names);
      for (const name of names) this.text(name);
    }
    this.bodies.count(shape);
    for (const name of names) this.value(fields[name], `.${name}`);
  }
}

/** Texts keep every UTF-16 unit: names of files are bytes, and nobody says that they are well-formed. */
function writeText(out: ByteWriter, text: string): void {
  out.count(text.length);
  let wide = false;
  for (let i = 0; i < text.length; i++) wide ||= text.charCodeAt(i) > 0xff;
  out.u8(wide ? 1 : 0);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    out.u8(unit & 0xff);
    if (wide) out.u8(unit >>> 8);
  }
}
