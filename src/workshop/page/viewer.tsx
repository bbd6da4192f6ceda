// SPDX-License-Identifier: MIT
import { render } from 'preact';
render(<p>Trapline</p>, document.getElementById('app') as HTMLElement);
