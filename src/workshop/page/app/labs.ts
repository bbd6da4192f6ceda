// SPDX-License-Identifier: MIT
//
// The laboratory of the page: a server where there is one, recorded answers where there is none or it has gone. It says
// which of the two it is.

import { signal } from '@preact/signals';
import type { HandInRequest, JobRequest, Lab, LabResult, LabStatus, SubmitOptions } from '../../api.ts';
import { recordedLab } from '../lessons/lesson-data.ts';
import { ServerLab } from '../server-lab.ts';

/** Set by the build: the page in one file, which knows of no server. */
declare const TRAPLINE_STATIC: boolean;

const IS_SERVED = !TRAPLINE_STATIC && location.protocol.startsWith('http');

class PageLab implements Lab {
  readonly status = signal<LabStatus>({ kind: IS_SERVED ? 'unknown' : 'recorded' });
  readonly #server = new ServerLab();
  #hadServer = false;

  /** Looks for a server. */
  async connect(): Promise<void> {
    if (!IS_SERVED) return;
    const { status } = this.#server;
    await this.#server.connect();
    status.subscribe((now) => {
      if (now.kind === 'server') this.#hadServer = true;
      this.status.value = now.kind === 'lost' && !this.#hadServer ? { kind: 'recorded' } : now;
    });
  }

  async submit(request: JobRequest, options?: SubmitOptions): Promise<LabResult> {
    if (this.status.value.kind === 'server') {
      const answer = await this.#server.submit(request, options);
      if (answer.ok || answer.reason !== 'unreachable') return answer;
    }
    return recordedLab.submit(request);
  }

  /** A line that the server signs; undefined where none answers. */
  async signHandIn(request: HandInRequest): Promise<string | undefined> {
    if (this.status.value.kind !== 'server') return undefined;
    const answer = await this.#server.handIn(request);
    return 'line' in answer && typeof answer.line === 'string' ? answer.line : undefined;
  }
}

export const pageLab = new PageLab();
