// SPDX-License-Identifier: MIT
//
// Calls that are answered at once: with EPERM where a guest lacks the right for good, with ENOSYS where a kernel
// without the feature is what programs are prepared for.

import { ENOSYS, EPERM } from '../../abi/errno.ts';
import type { SyscallDef } from './table.ts';

function refused(result: number, calls: readonly (readonly [number, string])[]): SyscallDef[] {
  return calls.map(([nr, name]) => ({ nr, name, args: ['hex', 'hex', 'hex'], call: () => result }));
}

/** Calls that a kernel without the feature, or a caller without the right, answers at once. */
export const refusedCalls: readonly SyscallDef[] = [
  ...refused(-EPERM, [
    [163, 'acct'],
    [167, 'swapon'],
    [168, 'swapoff'],
    [169, 'reboot'],
    [172, 'iopl'],
    [173, 'ioperm'],
    [175, 'init_module'],
    [176, 'delete_module'],
    [179, 'quotactl'],
    [246, 'kexec_load'],
    [304, 'open_by_handle_at'],
    [313, 'finit_module'],
    [321, 'bpf'],
    [300, 'fanotify_init'],
  ]),
  ...refused(-ENOSYS, [
    // mount(2) does what these do, and that is what programs then use.
    [428, 'open_tree'],
    [429, 'move_mount'],
    [430, 'fsopen'],
    [431, 'fsconfig'],
    [432, 'fsmount'],
    [433, 'fspick'],
    [442, 'mount_setattr'],
    [154, 'modify_ldt'],
    [206, 'io_setup'],
    [207, 'io_destroy'],
    [208, 'io_getevents'],
    [209, 'io_submit'],
    [210, 'io_cancel'],
    [298, 'perf_event_open'],
    [323, 'userfaultfd'],
    [425, 'io_uring_setup'],
    [426, 'io_uring_enter'],
    [427, 'io_uring_register'],
    [444, 'landlock_create_ruleset'],
    [447, 'memfd_secret'],
    [134, 'uselib'],
    [156, '_sysctl'],
    [174, 'create_module'],
    [177, 'get_kernel_syms'],
    [178, 'query_module'],
    [180, 'nfsservctl'],
    [181, 'getpmsg'],
    [182, 'putpmsg'],
    [183, 'afs_syscall'],
    [184, 'tuxcall'],
    [185, 'security'],
    [205, 'set_thread_area'],
    [211, 'get_thread_area'],
    [214, 'epoll_ctl_old'],
    [215, 'epoll_wait_old'],
    [236, 'vserver'],
  ]),
];
