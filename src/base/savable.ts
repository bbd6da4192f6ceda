// SPDX-License-Identifier: MIT
//
// Which classes a checkpoint can hold. Each module names its own; whoever walks a running system refuses what nobody has
// named, so that a new class cannot be forgotten. Fields are data: a function in one is refused, too.

/** How objects of one class are saved, where that is not "all their fields". */
export interface SavedForm {
  /**
   * The object belongs to the machine and is there before anything is restored: its fields are filled in, those that hold
   * functions stay.
   */
  readonly isPlace?: boolean;
  /** Of a place: fields that stay what they are in the machine that is restored into. */
  readonly kept?: readonly string[];
  /** Fields that are not saved, and what they are at first in a restored object. */
  readonly transient?: Readonly<Record<string, () => unknown>>;
  /** Objects are saved as what `to` makes of them, which refers to nothing. */
  readonly as?: { to(object: never): object; from(data: object): object };
  /** Objects cannot be saved: what they are, in words that follow "cannot be saved:". */
  readonly refused?: string;
}

/** What brings a restored object to life once all fields of all objects are there. */
export interface Revived {
  /** @throws anything when what was saved cannot be */
  revive(): void;
}

/** A class that checkpoints know. */
export interface SavedClass extends SavedForm {
  /** What files call it: stays the same however the class is called. */
  readonly name: string;
  readonly prototype: object;
}

const byPrototype = new Map<object, SavedClass>();
const byName = new Map<string, SavedClass>();
const constants = new Map<object, string>();

/** Constructors may be private. */
type AnyClass = { readonly prototype: object };

/**
 * Names classes of a module.
 * @param place prefix of the names, one for each module
 */
export function savable(place: string, classes: Readonly<Record<string, AnyClass>>, form: SavedForm = {}): void {
  for (const [key, type] of Object.entries(classes)) {
    const { prototype } = type;
    const saved = { ...form, name: `${place}.${key}`, prototype };
    byPrototype.set(prototype, saved);
    byName.set(saved.name, saved);
  }
}

/** Names objects that exist once in a process and that are told from others by being the same. */
export function savedConstants(place: string, objects: Readonly<Record<string, object>>): void {
  for (const [key, object] of Object.entries(objects)) constants.set(object, `${place}.${key}`);
}

/** The class of an object; undefined when nobody has named it. */
export function savedClassOf(object: object): SavedClass | undefined {
  return byPrototype.get(Object.getPrototypeOf(object) as object);
}

export function savedClassNamed(name: string): SavedClass | undefined {
  return byName.get(name);
}

/** All constants and their names. */
export function allConstants(): ReadonlyMap<object, string> {
  return constants;
}
