// SPDX-License-Identifier: MIT
//
// Keeps libunicorn from asking after every load and store of the guest whether a memory hook wants the run to end.

#ifndef TRAPLINE_LEAN_ACCESS_H
#define TRAPLINE_LEAN_ACCESS_H

namespace trapline {

/**
 * To be called before libunicorn is opened. Where the loader or the library does not let a symbol be replaced, nothing
 * changes: the question is then asked, and answered with no.
 */
void offerLeanAccess();

}  // namespace trapline

#endif
