// SPDX-License-Identifier: MIT
//
// Whether the tool's terminal passes output as it is. Whoever writes lines to it beside the guest looks here.

export const terminalMode = { isRaw: false };
