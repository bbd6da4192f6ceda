// SPDX-License-Identifier: MIT
//
// Dispositions: what sigaction(2) set for each signal. Shared by the tasks of a group, and between groups
// with CLONE_SIGHAND. Models gVisor pkg/sentry/kernel/signal_handlers.go.

import { savable } from '../../base/savable.ts';
import { NSIG } from '../../abi/signal.ts';

export const HANDLER_DEFAULT = 0n;
export const HANDLER_IGNORE = 1n;

/** All flags that Linux 6.1 on x86-64 keeps; others are cleared, so that a program can probe for them. */
export const KNOWN_SA_FLAGS = 0xdc00_0807;

/** struct sigaction as the kernel sees it. */
export interface SignalAction {
  readonly handler: bigint;
  readonly flags: number;
  readonly restorer: bigint;
  readonly mask: bigint;
}

const DEFAULT_ACTION: SignalAction = { handler: HANDLER_DEFAULT, flags: 0, restorer: 0n, mask: 0n };

export class SignalActions {
  private readonly actions: SignalAction[];

  constructor(actions?: readonly SignalAction[]) {
    this.actions = actions === undefined ? new Array<SignalAction>(NSIG + 1).fill(DEFAULT_ACTION) : [...actions];
  }

  get(signo: number): SignalAction {
    return this.actions[signo] ?? DEFAULT_ACTION;
  }

  set(signo: number, action: SignalAction): void {
    this.actions[signo] = action;
  }

  /** A private copy: fork. */
  copy(): SignalActions {
    return new SignalActions(this.actions);
  }

  /** After execve: handlers become default, ignored signals stay ignored. */
  forExec(): SignalActions {
    return new SignalActions(
      this.actions.map((a) =>
        a.handler === HANDLER_IGNORE ? { ...DEFAULT_ACTION, handler: HANDLER_IGNORE } : DEFAULT_ACTION,
      ),
    );
  }

  /** CLONE_CLEAR_SIGHAND: all handlers to default, ignored ones stay. */
  cleared(): SignalActions {
    return this.forExec();
  }
}

savable('kernel/signals/signal-actions', { SignalActions });
