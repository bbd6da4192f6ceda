// SPDX-License-Identifier: MIT
//
// The workshop's page.

import { render } from 'preact';
import { App, start } from './app/app.tsx';
import './styles/styles.ts';

await start();
render(<App />, document.getElementById('app') as HTMLElement);
