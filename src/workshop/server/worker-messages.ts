// SPDX-License-Identifier: MIT
//
// What the server and a worker process say to each other over their channel.

import type { JobLimits, JobRequest } from '../api.ts';

/** To a worker: do this. One at a time. */
export interface JobMessage {
  readonly job: number;
  readonly request: JobRequest;
  readonly limits: JobLimits;
}

/** From a worker. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly engine: string }
  /** The engine cannot be opened. */
  | { readonly kind: 'unable'; readonly sentence: string }
  | {
      readonly kind: 'done';
      readonly job: number;
      readonly succeeded: boolean;
      /** A JobState as JSON, gzipped: the server hands it on without looking into it. */
      readonly body: Uint8Array;
    };
