// SPDX-License-Identifier: MIT
//
// What uname(2) says of this system. The release is what C libraries compare with the oldest kernel they accept.

export const SYSTEM_NAME = {
  sysname: 'Linux',
  release: '6.1.0-trapline',
  version: '#1 SMP PREEMPT_DYNAMIC trapline',
  machine: 'x86_64',
} as const;
