// SPDX-License-Identifier: MIT
//
// What the graph of a checkpoint is made of: a table of heads (what each object is), then the bodies, in which objects
// are numbers in that table. So cycles and shared objects need no care, and nothing recurses.

/** How a value begins. */
export const Tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  /** A whole number from 0 up, or one below 0. */
  positive: 4,
  negative: 5,
  double: 6,
  positiveBig: 7,
  negativeBig: 8,
  /** Number in the table of texts. */
  text: 9,
  /** Number in the table of heads. */
  object: 10,
} as const;

/** What an object is. */
export const Head = {
  /** A plain object; its body has a shape and values. */
  plain: 0,
  array: 1,
  map: 2,
  set: 3,
  /** Of a class that base/savable.ts knows; as a plain object. */
  instance: 4,
  /** Of a class that saves something else in its place. */
  encoded: 5,
  /** There in every machine, by name; some have a body like an instance. */
  named: 6,
  filledPlace: 7,
  /** An ArrayBuffer. */
  buffer: 8,
  /** A typed array or DataView: kind, buffer, offset, length. */
  view: 9,
  /** A node of procfs: it is made again from its path, once its process is there. */
  procNode: 10,
} as const;

/** Kinds of views. */
export const VIEWS = [
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
  DataView,
] as const;

/** What {@link Head.procNode} says: the names below the root of procfs, null for the node of a task that is gone. */
export interface ProcPlace {
  /** Which of the file systems that make their nodes on demand. */
  readonly fs: number;
  readonly path: readonly string[] | null;
  readonly ino: number;
  readonly mode: number;
}
