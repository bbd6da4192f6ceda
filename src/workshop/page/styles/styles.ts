// SPDX-License-Identifier: MIT
//
// All style sheets of the page, in the order in which they build on each other.

import './base.css';
import './frame.css';
import './site.css';
import './tasks.css';
import './machine.css';
import './race.css';
