// SPDX-License-Identifier: MIT
//
// Light or dark: as the system says, until somebody chooses. The choice is kept where the browser lets pages keep one.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { t } from '../../texts/texts.ts';

type Theme = 'light' | 'dark';

const KEY = 'trapline-theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(system.matches ? 'dark' : 'light');
const chosen = signal<Theme | undefined>(stored());

system.addEventListener('change', () => {
  systemTheme.value = system.matches ? 'dark' : 'light';
});
chosen.subscribe((theme) => {
  if (theme === undefined) delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
});

export function ThemeSwitch(): JSX.Element {
  const now = chosen.value ?? systemTheme.value;
  const other: Theme = now === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={t(`app.theme.${other}`)}
      title={t(`app.theme.${other}`)}
      onClick={() => {
        chosen.value = other;
        keep(other);
      }}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 3a9 9 0 1 0 0 18V3z" />
        <circle cx="12" cy="12" r="9" class="ring" />
      </svg>
    </button>
  );
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

function keep(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // The choice holds until the page is closed.
  }
}
