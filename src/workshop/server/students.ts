// SPDX-License-Identifier: MIT
//
// Who asks: a random name in a cookie that no script can read and no other site can send (RFC 6265bis). It tells students
// apart, it does not prove who they are.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const COOKIE = 'trapline-student';
const PATTERN = /^[A-Za-z0-9_-]{22}$/;

/** The name of whoever asks; undefined for somebody new. */
export function studentOf(request: IncomingMessage): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value = ''] = part.trim().split('=', 2);
    if (name === COOKIE && PATTERN.test(value)) return value;
  }
  return undefined;
}

/** 128 random bits as text. */
export function newName(): string {
  return randomBytes(16).toString('base64url');
}

/** Header for somebody new; lasts as long as the browser runs. */
export function studentCookie(student: string): string {
  return `${COOKIE}=${student}; Path=/; HttpOnly; SameSite=Strict`;
}
