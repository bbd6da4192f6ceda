// SPDX-License-Identifier: MIT
//
// Names, colours and whereabouts of the actors of a recording.

import type { ActorState, State } from '../../../trace/recording/cursor.ts';
import type { Recording, Site } from '../../../trace/recording/format.ts';
import { shortName } from '../../texts/step-sentence.ts';

/** Hues in the style sheet. */
const HUES = 6;

/** The class that gives an actor its colour: tasks take turns, patchers and the kernel have their own. */
export function actorClass(recording: Recording, actor: number): string {
  const found = recording.actors[actor];
  if (found === undefined || found.role === 'kernel') return 'actor-kernel';
  if (found.role === 'patcher') return 'actor-patcher';
  const tasks = recording.actors.slice(0, actor).filter(({ role }) => role === 'task').length;
  return `actor-${tasks % HUES}`;
}

export function actorName(recording: Recording, actor: number): string {
  return shortName(recording.actors[actor]?.name ?? '?');
}

/** Whether an actor's next instruction begins inside the seven bytes: then at which offset. */
export function offsetInSite(actor: ActorState, site: Site): number | undefined {
  const offset = actor.rip - site.address;
  const isThere = actor.space === site.space && offset >= 0 && offset < 7;
  return isThere && actor.state !== 'unborn' && actor.state !== 'ended' ? offset : undefined;
}

const withFetches = new WeakMap<Recording, boolean>();

/** Whether processors hold bytes of their own anywhere in a recording; where fetches are coherent none ever does. */
export function hasFetches(recording: Recording): boolean {
  let found = withFetches.get(recording);
  if (found === undefined) {
    found = recording.steps.some(({ changes }) => changes?.some(({ fetched }) => fetched !== undefined) === true);
    withFetches.set(recording, found);
  }
  return found;
}

/** Actors that have fetched something of the site. */
export function fetchersOf(recording: Recording, state: State, site: Site): number[] {
  return state.actors.flatMap((actor, index) => {
    const has = actor.fetched.some((bytes, granule) => {
      const at = recording.granules[granule];
      return (
        bytes !== null && at !== undefined && at.address < site.address + 7 && site.address < at.address + at.length
      );
    });
    return has && actor.space === site.space ? [index] : [];
  });
}
