// SPDX-License-Identifier: MIT
//
// /proc/net of a machine without a network: the heads of the tables of protocols, and the AF_UNIX sockets that
// descriptors lead to. Models net/ipv4, net/ipv6 and net/unix (unix_seq_show).

import { AF_UNIX } from '../abi/socket.ts';
import type { Inode } from './inode.ts';
import { ProcDirectory, ProcFile } from './proc-nodes.ts';
import type { ProcFileSystemBase } from './proc-nodes.ts';
import type { ProcSource } from './proc-source.ts';
import { SocketFile } from './unix-socket.ts';

const TCP_HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'.padEnd(149) + '\n';
const TCP6_HEAD =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const UDP_HEAD =
  '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops'.padEnd(
    127,
  ) + '\n';
const UDP6_HEAD =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n';

const HEADS: Readonly<Record<string, string>> = {
  arp: 'IP address       HW type     Flags       HW address            Mask     Device\n',
  dev:
    'Inter-|   Receive                                                |  Transmit\n' +
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n',
  if_inet6: '',
  netlink: 'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode   \n',
  packet: 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n',
  raw: UDP_HEAD.replace('   sl', '  sl'),
  raw6: UDP6_HEAD,
  route: 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'.padEnd(127) + '\n',
  tcp: TCP_HEAD,
  tcp6: TCP6_HEAD,
  udp: UDP_HEAD,
  udp6: UDP6_HEAD,
};

/** A task's /proc/<pid>/net: all tasks have the same. */
export function netDirectory(fs: ProcFileSystemBase, source: ProcSource): Inode {
  const nodes = new Map<string, Inode>();
  for (const [name, head] of Object.entries(HEADS)) nodes.set(name, new ProcFile(fs, () => head));
  nodes.set('unix', new ProcFile(fs, () => unixText(source)));
  return ProcDirectory.fixed(fs, nodes);
}

const LISTENS = 0x10000;
const UNCONNECTED = 1;
const CONNECTED = 3;

function unixText(source: ProcSource): string {
  let text = 'Num       RefCount Protocol Flags    Type St Inode Path\n';
  const seen = new Set<SocketFile>();
  for (const pid of source.processes()) {
    const files = source.task(pid)?.files;
    for (const fd of files?.descriptors() ?? []) {
      const file = files?.get(fd);
      if (!(file instanceof SocketFile) || file.endpoint.family !== AF_UNIX || seen.has(file)) continue;
      seen.add(file);
      const { kind, name, state } = file.endpoint;
      const fields = [
        hex(2, 8),
        hex(0, 8),
        hex(state === 'listening' ? LISTENS : 0, 8),
        hex(kind, 4),
        hex(state === 'connected' ? CONNECTED : UNCONNECTED, 2),
        String(file.inode.ino).padStart(5),
      ];
      // Abstract names begin with a zero, which is shown like any other.
      const shown = name === null || name === '' ? '' : ` ${name.replaceAll('\0', '@')}`;
      // Addresses of the kernel are nobody's business.
      text += `${hex(0, 16)}: ${fields.join(' ')}${shown}\n`;
    }
  }
  return text;
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, '0');
}
