// SPDX-License-Identifier: MIT
//
// Sockets as far as programs without a network ask for them; include/linux/socket.h, linux/net.h, linux/un.h,
// asm-generic/socket.h.

export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
/** Families that Linux knows the numbers of. */
export const AF_MAX = 46;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 2048;
export const SOCK_CLOEXEC = 524288;
export const SOCK_MAX = 11;

export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_DONTROUTE = 0x4;
export const MSG_CTRUNC = 0x8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_WAITALL = 0x100;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const MSG_WAITFORONE = 0x10000;
export const MSG_CMSG_CLOEXEC = 0x40000000;

export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;
export const SOL_SOCKET = 1;
export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_PRIORITY = 12;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_PASSCRED = 16;
export const SO_PEERCRED = 17;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;
export const SO_PEERNAME = 28;
export const SO_TIMESTAMP = 29;
export const SO_ACCEPTCONN = 30;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_PASSSEC = 34;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const SO_PEERGROUPS = 59;

export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;
/** Descriptors in one message. */
export const SCM_MAX_FD = 253;
/** net.core.somaxconn. */
export const SOMAXCONN = 4096;

/** struct sockaddr_un: the family, and a path of up to 108 bytes. */
export const SockaddrUn = { size: 110, family: 0, path: 2 } as const;
/** struct sockaddr_nl: family, padding, port, groups. */
export const SockaddrNl = { size: 12, family: 0, port: 4, groups: 8 } as const;
export const NETLINK_ROUTE = 0;
/** struct sockaddr_storage: the longest address that a call takes. */
export const SOCKADDR_STORAGE_BYTES = 128;
/** struct msghdr, and struct mmsghdr around it. */
// prettier-ignore
export const Msghdr = {
  size: 56, name: 0, nameLength: 8, iov: 16, iovLength: 24, control: 32, controlLength: 40, flags: 48,
} as const;
export const Mmsghdr = { size: 64, length: 56 } as const;
/** struct cmsghdr; what follows is padded to 8 bytes. */
export const Cmsghdr = { size: 16, length: 0, level: 8, type: 12 } as const;
/** struct ucred. */
export const Ucred = { size: 12, pid: 0, uid: 4, gid: 8 } as const;
