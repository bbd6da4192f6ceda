// SPDX-License-Identifier: MIT
//
// Chooses an order of the three steps, a guard and a fetch model; the explorer is the judge.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId, useRef } from 'preact/hooks';
import type { WidgetProps } from './widgets.tsx';

export function OrderChooser({ goal, say, isBusy, onAttempt }: WidgetProps<'order'>): JSX.Element {
  const order = useSignal<readonly string[]>([...(goal.order ?? (goal.verdict === 'holds' ? 'bac' : 'abc'))]);
  const guard = useSignal(goal.guards[0] ?? 6);
  const model = useSignal(goal.models[0] ?? 'coherent');
  const list = useRef<HTMLOListElement>(null);
  const id = useId();

  /** Moves a step; the focus stays on its button. */
  const move = (from: number, to: number): void => {
    const steps = [...order.value];
    const [step] = steps.splice(from, 1);
    if (step === undefined || to < 0 || to > steps.length) return;
    steps.splice(to, 0, step);
    order.value = steps;
    const direction = to < from ? 'earlier' : 'later';
    requestAnimationFrame(() =>
      list.current?.querySelector<HTMLElement>(`[data-step="${step}"] [data-to="${direction}"]`)?.focus(),
    );
  };

  return (
    <form
      class="task-answer"
      onSubmit={(event) => {
        event.preventDefault();
        onAttempt({ kind: 'order', order: order.value.join(''), guard: guard.value, model: model.value });
      }}
    >
      <p id={`${id}-label`}>{say('order.label')}</p>
      <ol class="order" ref={list} aria-labelledby={`${id}-label`}>
        {order.value.map((step, i) => (
          <li key={step} data-step={step} data-at={i}>
            <code>{step}</code>
            <span class="order-text">{say(`order.step.${step}`, { guard: hex(guard.value) })}</span>
            <button
              type="button"
              data-to="earlier"
              aria-disabled={i === 0}
              aria-label={say('order.earlier', { step })}
              onClick={() => move(i, i - 1)}
            >
              ↑
            </button>
            <button
              type="button"
              data-to="later"
              aria-disabled={i === order.value.length - 1}
              aria-label={say('order.later', { step })}
              onClick={() => move(i, i + 1)}
            >
              ↓
            </button>
          </li>
        ))}
      </ol>
      <p class="visually-hidden" aria-live="polite">
        {say('order.now', { order: order.value.join(', ') })}
      </p>
      {goal.guards.length > 1 && (
        <p>
          <label for={`${id}-guard`}>{say('order.guard')}</label>{' '}
          <select
            id={`${id}-guard`}
            class="mono"
            value={guard.value}
            onChange={(event) => {
              guard.value = Number(event.currentTarget.value);
            }}
          >
            {goal.guards.map((byte) => (
              <option key={byte} value={byte}>
                {hex(byte)}
              </option>
            ))}
          </select>
        </p>
      )}
      {goal.models.length > 1 && (
        <p>
          <label for={`${id}-model`}>{say('order.model')}</label>{' '}
          <select
            id={`${id}-model`}
            value={model.value}
            onChange={(event) => {
              model.value = event.currentTarget.value;
            }}
          >
            {goal.models.map((name) => (
              <option key={name} value={name}>
                {say(`order.model.${name}`)}
              </option>
            ))}
          </select>
        </p>
      )}
      <button type="submit" class="check-button" disabled={isBusy}>
        {say('order.explore')}
      </button>
    </form>
  );
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
