// SPDX-License-Identifier: MIT
//
// xterm as a screen that is only looked at: it shows what a guest has written so far, and goes back with time.

import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';

export interface GuestTerminal {
  /** Shows exactly these writes. */
  show(writes: readonly Uint8Array[]): void;
  dispose(): void;
}

/** Opens a terminal inside an element and keeps it as large as that. */
export function openTerminal(element: HTMLElement, label: string): GuestTerminal {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const terminal = new Terminal({
    // A program that writes to a pipe or file ends lines with \n alone.
    convertEol: true,
    disableStdin: true,
    cursorBlink: false,
    cursorInactiveStyle: 'none',
    fontFamily: colour('--mono'),
    fontSize: 13,
    scrollback: 5000,
    screenReaderMode: true,
    theme: { background: colour('--code-bg'), foreground: colour('--fg'), cursor: colour('--code-bg') },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  // It is looked at only: Tab leads out of it, as out of everything.
  terminal.attachCustomKeyEventHandler(({ key }) => key !== 'Tab');
  terminal.textarea?.setAttribute('aria-label', label);
  fit.fit();
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(element);
  let shown = 0;
  return {
    show(writes) {
      if (writes.length < shown) {
        terminal.reset();
        shown = 0;
      }
      for (; shown < writes.length; shown++) terminal.write(writes[shown] ?? '');
    },
    dispose() {
      observer.disconnect();
      terminal.dispose();
    },
  };
}
