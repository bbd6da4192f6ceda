// SPDX-License-Identifier: MIT
//
// The workshop's server against what a browser must not, and a hostile client can, send; its start and its end.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ONE_LINE, trapline } from '../e2e/trapline.ts';
import { ServerProcess, Student } from './server-process.ts';

const HELLO = { kind: 'run', code: { guest: 'hello' }, mode: 'hardened' };

let server: ServerProcess;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-workshop-'));
  server = await ServerProcess.start('--workers', '1', '--log-level', 'debug');
});
afterAll(async () => {
  await server.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function get(path: string, headers: Record<string, string> = {}): Promise<string> {
  const lines = Object.entries({ Host: `localhost:${server.port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return server.raw(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`);
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

describe('files', () => {
  it('are those of the page, with headers that keep a page within its own site', async () => {
    const answer = await get('/');
    expect(statusOf(answer)).toBe(200);
    expect(answer).toContain('<!doctype html>');
    expect(answer).toMatch(/^Content-Security-Policy: default-src 'none'; script-src 'self'/m);
    expect(answer).toMatch(/^X-Content-Type-Options: nosniff/m);
    expect(answer).toMatch(/^Content-Type: text\/html; charset=utf-8/m);
    for (const [, path = ''] of answer.matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g)) {
      expect(statusOf(await get(path)), path).toBe(200);
    }
    for (const path of ['/teaching.html', '/slides.html', '/handouts/01-see-a-trap.html', '/check']) {
      expect(statusOf(await get(path)), path).toBe(200);
    }
  });

  it('are sent compressed, and not again when they are known', async () => {
    const first = await fetch(`${server.url}/`);
    const etag = first.headers.get('etag') ?? '';
    expect(first.headers.get('content-encoding')).toBe('gzip');
    const second = await fetch(`${server.url}/`, { headers: { 'If-None-Match': etag } });
    expect(second.status).toBe(304);
  });

  it.each([
    '/../package.json',
    '/assets/../../../package.json',
    '/..%2fpackage.json',
    '/%2e%2e/package.json',
    '/%2E%2E%2Fpackage.json',
    '/..%c0%afpackage.json',
    '/..\\package.json',
    '/%5c..%5cpackage.json',
    '/index.html%00.js',
    '/index.html%20',
    '//etc/passwd',
    '/etc/passwd',
    '/./index.html',
    '/assets',
    '/assets/',
    '/assets/.',
    '/.build-stamp',
    '/server/worker.js',
    '/index.html/',
    '/INDEX.HTML',
    '/~root',
    '/index.html;x',
    '*',
    'http://evil.example/',
    'index.html',
    `/${'a'.repeat(4000)}`,
    `/?${'a'.repeat(4000)}`,
    '/%',
    '/\x7f',
    '/\xff\xfe',
  ])('are not found at %j', async (path) => {
    const status = statusOf(await get(path));
    expect([400, 404, 421]).toContain(status);
  });

  it('are not written to', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const answer = await server.raw(`${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect(statusOf(answer), method).toBe(405);
    }
  });
});

describe('names and origins', () => {
  it.each([
    'evil.example',
    'localhost.evil.example',
    'evil.example:7117',
    '127.0.0.1.nip.io',
    '10.0.0.1',
    '',
    'a b',
    '[::1',
  ])('a request for the host %j is refused', async (host) => {
    const answer = await get('/', { Host: host });
    expect(statusOf(answer)).toBe(421);
    expect(answer).not.toContain('<!doctype');
  });

  it.each(['localhost', '127.0.0.1', '[::1]', 'LOCALHOST'])('a request for %s is answered', async (name) => {
    expect(statusOf(await get('/', { Host: `${name}:${server.port}` }))).toBe(200);
  });

  it('no host at all, or two, is refused', async () => {
    expect(statusOf(await server.raw('GET / HTTP/1.1\r\nConnection: close\r\n\r\n'))).toBe(421);
    const two = await server.raw(
      'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    );
    expect([400, 421]).toContain(statusOf(two));
  });

  it.each(['http://evil.example', 'null', 'http://localhost:1', 'file://'])(
    'the origin %s gets nothing',
    async (origin) => {
      for (const path of ['/api/status', '/']) expect(statusOf(await get(path, { Origin: origin }))).toBe(403);
      const student = await Student.arrive(server);
      const post = await student.request('/api/jobs', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Origin: origin },
        body: JSON.stringify(HELLO),
      });
      expect(post.status).toBe(403);
    },
  );

  it('what a browser says comes from another site gets nothing of the interface; a link to the page works', async () => {
    expect(statusOf(await get('/api/status', { 'Sec-Fetch-Site': 'cross-site' }))).toBe(403);
    expect(statusOf(await get('/api/status', { 'Sec-Fetch-Site': 'same-site' }))).toBe(403);
    expect(statusOf(await get('/', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }))).toBe(403);
    expect(statusOf(await get('/', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }))).toBe(200);
    expect(statusOf(await get('/api/status', { 'Sec-Fetch-Site': 'same-origin' }))).toBe(200);
  });

  it('the cookie is for this site alone, and no script reads it', async () => {
    const response = await fetch(`${server.url}/api/status`);
    expect(response.headers.get('set-cookie')).toMatch(
      /^trapline-student=[\w-]{22}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const student = await Student.arrive(server);
    expect((await student.request('/api/status')).headers.get('set-cookie')).toBeNull();
  });

  it('an answer is for no other site', async () => {
    const answer = await get('/api/status');
    expect(answer).not.toMatch(/^Access-Control/im);
    expect(answer).toMatch(/^Cross-Origin-Resource-Policy: same-origin/m);
  });
});

describe('bodies', () => {
  it.each([
    ['no JSON', '{"kind":', 400],
    ['nothing', '', 400],
    ['null', 'null', 400],
    ['a list', '[]', 400],
    ['an unknown kind', '{"kind":"shell"}', 400],
    ['an unknown field', '{"kind":"check","code":{"guest":"hello"},"extra":1}', 400],
    ['two programs', '{"kind":"check","code":{"guest":"hello","asm":"nop"}}', 400],
    ['a prototype', '{"__proto__":{"kind":"run"}}', 400],
    ['a number that is none', '{"kind":"race","scenario":"patch-vs-exec","threads":1.5}', 400],
    ['a negative number', '{"kind":"race","scenario":"patch-vs-exec","budget":-1}', 400],
    ['deep nesting', `${'['.repeat(100_000)}`, 400],
    ['a long program', JSON.stringify({ kind: 'check', code: { asm: 'nop\n'.repeat(50_000) } }), 400],
    ['too many bytes', ' '.repeat(300 * 1024), 413],
  ])('%s is refused with a sentence', async (_what, body, status) => {
    const response = await (await Student.arrive(server)).post('/api/jobs', body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ reason: 'request', sentence: expect.stringMatching(/\w+ .*/) });
  });

  it('of another type are refused', async () => {
    const student = await Student.arrive(server);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonp',
      '',
    ]) {
      const response = await student.request('/api/jobs', {
        method: 'POST',
        headers: { 'Content-Type': type },
        body: Buffer.from(JSON.stringify(HELLO)),
      });
      expect(response.status, type).toBe(415);
    }
  });

  it('that are no UTF-8 are refused', async () => {
    const student = await Student.arrive(server);
    const response = await student.request('/api/jobs', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from([0x22, 0xff, 0x22]),
    });
    expect(response.status).toBe(400);
  });

  it('without an end, of more bytes than allowed, end with 413', async () => {
    const student = await Student.arrive(server);
    const head = `POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nCookie: ${student.cookie}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    expect(statusOf(await server.raw(head + chunk.repeat(6)))).toBe(413);
  });

  it('with two lengths, or a length and chunks, are refused', async () => {
    const head = 'POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    for (const lengths of [
      'Content-Length: 1\r\nContent-Length: 2\r\n',
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    ]) {
      expect(statusOf(await server.raw(`${head}${lengths}\r\n{}\r\n`))).toBe(400);
    }
  });

  it('addresses of the interface take their own methods only', async () => {
    const student = await Student.arrive(server);
    expect((await student.request('/api/jobs')).status).toBe(405);
    expect((await student.post('/api/status', {})).status).toBe(405);
    expect((await student.request('/api/nothing')).status).toBe(404);
    expect((await student.request(`/api/jobs/${'a'.repeat(22)}`)).status).toBe(404);
    expect((await student.request(`/api/jobs/${'a'.repeat(22)}?wait=x`)).status).toBe(400);
  });
});

describe('connections', () => {
  it('that are no HTTP end with 400', async () => {
    for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00', 'hello\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'SSH-2.0-x\r\n']) {
      expect([400, NaN]).toContain(statusOf(await server.raw(bytes)));
    }
  });

  it('with too many headers, or too long ones, end', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => `X-${i}: ${'y'.repeat(20)}`).join('\r\n');
    const answer = await server.raw(`GET / HTTP/1.1\r\nHost: localhost\r\n${many}\r\n\r\n`);
    expect(statusOf(answer)).toBe(431);
  });

  it('that ask for another protocol end', async () => {
    const upgrade = await server.raw(
      'GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(upgrade).toBe('');
    expect(await server.raw('CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('');
  });

  it('that say nothing, or send a header a byte at a time, are ended while others are served', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => opened(server.port)));
    for (const socket of sockets) socket.resume().write('GET / HTTP/1.1\r\nHost: loc');
    const closed = once(sockets[0] ?? new Error('no socket'), 'close');
    expect(statusOf(await get('/'))).toBe(200);
    await closed;
    for (const socket of sockets) socket.destroy();
  });

  it('of one address are bounded, and come again when the others are gone', async () => {
    const sockets = await Promise.all(Array.from({ length: 400 }, () => opened(server.port)));
    for (const socket of sockets) socket.resume();
    const closed = (): number => sockets.filter((socket) => socket.closed).length;
    await until(() => closed() >= 100);
    // What was taken has been taken before the last was refused.
    expect(closed()).toBeLessThan(200);
    for (const socket of sockets) socket.destroy();
    await until(async () => statusOf(await get('/')) === 200);
  });

  it('that stop reading an answer do no harm to others', async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => opened(server.port)));
    for (const socket of sockets) {
      socket.pause();
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20));
    }
    expect(statusOf(await get('/'))).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it('that end in the middle of a request leave no trace but their own', async () => {
    for (let i = 0; i < 20; i++) {
      const socket = await opened(server.port);
      socket.write(
        'POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{',
      );
      socket.resetAndDestroy();
    }
    expect(statusOf(await get('/'))).toBe(200);
    expect(server.stderr).not.toContain('a request failed');
  });
});

/** Waits, however long it takes: what never comes is ended by the test's own time. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, 20));
}

function opened(port: number): Promise<Socket> {
  return new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => done(socket));
    socket.once('error', failed);
    socket.on('error', () => {});
  });
}

describe('the command', () => {
  it('says where the page is, and that only this machine can reach it', () => {
    expect(server.stdout).toContain(`The workshop is at ${server.url}/\n`);
    expect(server.stdout).toContain('Only this machine can reach it');
  });

  it('opened to the network says what that means, and takes addresses but no names of others', async () => {
    const open = await ServerProcess.start('--host', '0.0.0.0', '--workers', '1', '--allow-host', 'class.example');
    try {
      expect(open.stdout).toMatch(/Everybody who can reach this machine/);
      const status = async (host: string): Promise<number> =>
        statusOf(await open.raw(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
      expect(await status('192.0.2.7:80')).toBe(200);
      expect(await status('class.example')).toBe(200);
      expect(await status('evil.example')).toBe(421);
    } finally {
      await open.stop('SIGKILL');
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends with its workers at %s, although clients wait', async (signal) => {
    const own = await ServerProcess.start('--workers', '2');
    const workers = await own.workers();
    const student = await Student.arrive(own);
    await own.signalWorkers('SIGSTOP');
    const { id } = await student.submit(HELLO);
    const waiting = student.state(id, 20).catch(() => 'ended');
    expect(await own.stop(signal)).toBe(0);
    expect(await waiting).toBe('ended');
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  it('leaves no worker behind when it is killed', async () => {
    const own = await ServerProcess.start('--workers', '2');
    const workers = await own.workers();
    await own.stop('SIGKILL');
    const isAlive = (pid: number): boolean => {
      try {
        process.kill(pid, 0);
        return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z');
      } catch {
        return false;
      }
    };
    await until(() => !workers.some(isAlive));
  });

  it.each([
    [['--port', '99999'], 125],
    [['--port', 'x'], 125],
    [['--workers', '0'], 125],
    [['--log-level', 'loud'], 125],
    [['--host', 'no.such.host.invalid'], 125],
    [['--host', '203.0.113.1'], 125],
    [['--log-file', '/nonexistent/log'], 125],
    [['--class-key', '/nonexistent/key'], 125],
    [['extra'], 125],
  ])('refuses %j with one line', (options, status) => {
    const run = trapline(['workshop', '--port', '0', ...options]);
    expect(run.stderr).toMatch(ONE_LINE);
    expect(run).toMatchObject({ status, stdout: '' });
  });

  it('says that the engine is missing, before it says that it is there', () => {
    const run = trapline(['workshop', '--port', '0'], { env: { TRAPLINE_LIBUNICORN: '/nonexistent/libunicorn.so' } });
    expect(run).toMatchObject({ status: 125, stdout: '' });
    expect(run.stderr).toMatch(ONE_LINE);
    expect(run.stderr).toContain('/nonexistent/libunicorn.so');
  });

  it('says which port is in use', () => {
    const run = trapline(['workshop', '--port', String(server.port)]);
    expect(run).toMatchObject({ status: 125, stdout: '' });
    expect(run.stderr).toBe(
      `trapline: 127.0.0.1 port ${server.port} is in use: choose another with --port, or --port 0 for any\n`,
    );
  });

  it('logs refusals as JSON lines with what was asked, in printable text, and does not flood', async () => {
    const path = join(folder, 'log');
    const own = await ServerProcess.start('--workers', '1', '--log-file', path);
    await own.raw('GET /\x1b[31m HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    for (let i = 0; i < 300; i++) await own.rawStatus('/nothing');
    await own.stop();
    const lines = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find((line) => line['status'] === 404)).toMatchObject({
      level: 'warn',
      url: '/nothing',
      msg: 'a request was refused',
    });
    expect(lines.length).toBeLessThan(250);
    expect(readFileSync(path, 'latin1')).not.toContain('\x1b');
  });
});
