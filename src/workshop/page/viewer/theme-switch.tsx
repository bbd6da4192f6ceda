// SPDX-License-Identifier: MIT
//
// The button that changes between light and dark.

import type { JSX } from 'preact';
import { t } from '../../texts/texts.ts';
import { chooseTheme, theme } from './theme.ts';
import type { Theme } from './theme.ts';

export function ThemeSwitch(): JSX.Element {
  const other: Theme = theme.value === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={t(`app.theme.${other}`)}
      title={t(`app.theme.${other}`)}
      onClick={() => chooseTheme(other)}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 3a9 9 0 1 0 0 18V3z" />
        <circle cx="12" cy="12" r="9" class="ring" />
      </svg>
    </button>
  );
}
