// SPDX-License-Identifier: MIT
//
// Light or dark: as the system says, until somebody chooses. The choice is kept where the browser lets pages keep one. The
// root element carries the theme, so style sheets have each set of colours once.

import { computed, signal } from '@preact/signals';

export type Theme = 'light' | 'dark';

const KEY = 'trapline-theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(system.matches ? 'dark' : 'light');
const chosen = signal<Theme | undefined>(stored());

system.addEventListener('change', () => {
  systemTheme.value = system.matches ? 'dark' : 'light';
});
/** The one that is shown. */
export const theme = computed(() => chosen.value ?? systemTheme.value);
theme.subscribe((now) => {
  document.documentElement.dataset['theme'] = now;
});

export function chooseTheme(choice: Theme): void {
  chosen.value = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // The choice holds until the page is closed.
  }
}

function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    // A page from disk, or one whose cookies are blocked, may keep nothing.
    return undefined;
  }
}
