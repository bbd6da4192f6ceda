// SPDX-License-Identifier: MIT
//
// Calls that are answered at once: with EPERM where a guest lacks the right for good, with ENOSYS where a kernel
// without the feature is what programs are prepared for. Each row says why; README.md lists them.

import { EINVAL, ENOSYS, EPERM } from '../../abi/errno.ts';
import type { ArgKind } from '../decode/kinds.ts';
import type { SyscallDef } from './table.ts';

type Refusal = readonly [nr: number, name: string, args: readonly ArgKind[]];

function refused(errno: number, reason: string, calls: readonly Refusal[]): SyscallDef[] {
  return calls.map(([nr, name, args]) => ({ nr, name, args, refused: { errno, reason }, call: () => -errno }));
}

/** Calls that a kernel without the feature, or a caller without the right, answers at once. */
export const refusedCalls: readonly SyscallDef[] = [
  ...refused(EPERM, 'there is no machine that a guest may administer', [
    [163, 'acct', ['path']],
    [167, 'swapon', ['path', 'hex']],
    [168, 'swapoff', ['path']],
    [169, 'reboot', ['hex', 'hex', 'hex', 'ptr']],
    [172, 'iopl', ['int']],
    [173, 'ioperm', ['hex', 'hex', 'int']],
    [175, 'init_module', ['ptr', 'size', 'str']],
    [176, 'delete_module', ['str', 'hex']],
    [246, 'kexec_load', ['hex', 'size', 'ptr', 'hex']],
    [313, 'finit_module', ['fd', 'str', 'hex']],
    [320, 'kexec_file_load', ['fd', 'fd', 'size', 'str', 'hex']],
  ]),
  ...refused(EPERM, 'no file system counts what its users take', [
    [179, 'quotactl', ['hex', 'path', 'uid', 'ptr']],
    [443, 'quotactl_fd', ['fd', 'hex', 'uid', 'ptr']],
  ]),
  ...refused(EPERM, 'no profiler reads them', [[212, 'lookup_dcookie', ['hex', 'ptr', 'size']]]),
  ...refused(EPERM, 'name_to_handle_at gives no handles', [[304, 'open_by_handle_at', ['fd', 'ptr', 'hex']]]),
  ...refused(EPERM, 'the kernel runs no programs of its guests', [[321, 'bpf', ['int', 'ptr', 'uint']]]),
  ...refused(ENOSYS, 'mount does what these do, and programs fall back to it', [
    [428, 'open_tree', ['dirfd', 'path', 'hex']],
    [429, 'move_mount', ['dirfd', 'path', 'dirfd', 'path', 'hex']],
    [430, 'fsopen', ['str', 'hex']],
    [431, 'fsconfig', ['fd', 'int', 'str', 'ptr', 'int']],
    [432, 'fsmount', ['fd', 'hex', 'hex']],
    [433, 'fspick', ['dirfd', 'path', 'hex']],
    [442, 'mount_setattr', ['dirfd', 'path', 'hex', 'ptr', 'size']],
  ]),
  ...refused(EPERM, 'a guest asks for no leave of another one to open files', [
    [300, 'fanotify_init', ['hex', 'hex']],
    [301, 'fanotify_mark', ['fd', 'hex', 'hex', 'dirfd', 'path']],
  ]),
  ...refused(EINVAL, 'obsolete since Linux 3.16: programs map each piece by itself', [
    [216, 'remap_file_pages', ['ptr', 'size', 'flags:prot', 'size', 'flags:map']],
  ]),
  ...refused(ENOSYS, 'no segments of a program’s own', [[154, 'modify_ldt', ['int', 'ptr', 'size']]]),
  ...refused(ENOSYS, 'no asynchronous I/O: programs fall back to threads', [
    [206, 'io_setup', ['uint', 'ptr']],
    [207, 'io_destroy', ['ptr']],
    [208, 'io_getevents', ['ptr', 'long', 'long', 'ptr', 'in:timespec']],
    [209, 'io_submit', ['ptr', 'long', 'ptr']],
    [210, 'io_cancel', ['ptr', 'ptr', 'ptr']],
    [333, 'io_pgetevents', ['ptr', 'long', 'long', 'ptr', 'in:timespec', 'ptr']],
    [425, 'io_uring_setup', ['uint', 'ptr']],
    [426, 'io_uring_enter', ['fd', 'uint', 'uint', 'hex', 'ptr', 'size']],
    [427, 'io_uring_register', ['fd', 'uint', 'ptr', 'uint']],
  ]),
  ...refused(ENOSYS, 'no key rings', [
    [248, 'add_key', ['str', 'str', 'ptr', 'size', 'int']],
    [249, 'request_key', ['str', 'str', 'str', 'int']],
    [250, 'keyctl', ['int', 'hex', 'hex', 'hex', 'hex']],
  ]),
  ...refused(ENOSYS, 'one memory node', [
    [256, 'migrate_pages', ['pid', 'size', 'ptr', 'ptr']],
    [279, 'move_pages', ['pid', 'size', 'ptr', 'ptr', 'ptr', 'hex']],
    [450, 'set_mempolicy_home_node', ['ptr', 'size', 'size', 'hex']],
  ]),
  ...refused(ENOSYS, 'the processor counts no events for guests', [
    [298, 'perf_event_open', ['ptr', 'pid', 'int', 'fd', 'hex']],
  ]),
  ...refused(ENOSYS, 'advice about memory changes nothing here', [
    [440, 'process_madvise', ['fd', 'iov:in', 'size', 'enum:madvice', 'hex']],
  ]),
  ...refused(ENOSYS, 'the memory of a process that is killed goes with it', [[448, 'process_mrelease', ['fd', 'hex']]]),
  ...refused(ENOSYS, 'page faults are the kernel’s own', [[323, 'userfaultfd', ['hex']]]),
  ...refused(ENOSYS, 'memory is secret from nobody but other guests', [[447, 'memfd_secret', ['hex']]]),
  ...refused(ENOSYS, 'no security module', [
    [444, 'landlock_create_ruleset', ['ptr', 'size', 'hex']],
    [445, 'landlock_add_rule', ['fd', 'int', 'ptr', 'hex']],
    [446, 'landlock_restrict_self', ['fd', 'hex']],
  ]),
  ...refused(ENOSYS, 'obsolete: few kernels still have it', [
    [136, 'ustat', ['dev', 'ptr']],
    [139, 'sysfs', ['int', 'ptr', 'ptr']],
  ]),
  ...refused(ENOSYS, 'Linux itself answers so', [
    [134, 'uselib', ['path']],
    [156, '_sysctl', ['ptr']],
    [174, 'create_module', ['str', 'size']],
    [177, 'get_kernel_syms', ['ptr']],
    [178, 'query_module', ['str', 'int', 'ptr', 'size', 'ptr']],
    [180, 'nfsservctl', ['int', 'ptr', 'ptr']],
    [181, 'getpmsg', ['hex', 'hex', 'hex', 'hex', 'hex']],
    [182, 'putpmsg', ['hex', 'hex', 'hex', 'hex', 'hex']],
    [183, 'afs_syscall', ['hex', 'hex', 'hex', 'hex', 'hex']],
    [184, 'tuxcall', ['hex', 'hex', 'hex']],
    [185, 'security', ['hex', 'hex', 'hex']],
    [205, 'set_thread_area', ['ptr']],
    [211, 'get_thread_area', ['ptr']],
    [214, 'epoll_ctl_old', ['hex', 'hex', 'hex', 'hex']],
    [215, 'epoll_wait_old', ['hex', 'hex', 'hex', 'hex']],
    [236, 'vserver', ['hex', 'hex', 'hex', 'hex', 'hex']],
  ]),
];
