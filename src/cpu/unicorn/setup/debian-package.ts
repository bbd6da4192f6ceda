// SPDX-License-Identifier: MIT
//
// Fetches one Debian package into the cache with the machine's own apt and mirror, without root and without
// touching the system: private source list, state and archive folders, and none of the system's hooks. apt
// verifies the archive's signature; insecure archives are refused whatever the system's settings say.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TraplineError } from '../../../base/errors.ts';
import { findDebianSource, parseAptSources, releaseOf, type AptSource } from './apt-sources.ts';
import { cacheEntry, cacheFolder, withLock } from './cache.ts';
import { findCommand, say } from './system.ts';
import { compareVersions, upstreamVersion } from './versions.ts';

export interface DebianPackageRequest {
  /** Matches the package's name, such as `^libunicorn\d`. */
  readonly name: RegExp;
  /** Suites to look in, in order; `release` is the one that the machine runs. The first with a fitting version wins. */
  readonly suites: readonly string[];
  /** Oldest upstream version that fits. */
  readonly minimum: string;
  /** Debian's name of the architecture; the machine's own by default. */
  readonly architecture?: string;
}

/** A package's files, unpacked. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** What stands for `/`. */
  readonly folder: string;
}

const KEYRINGS = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];

/** Whether apt, dpkg and a Debian archive in apt's sources are there. */
export function canFetchDebianPackages(): boolean {
  return findCommand('apt-get') !== undefined && findCommand('dpkg') !== undefined && debianSource() !== undefined;
}

/** A package that an earlier call has fetched; asks no network. */
export function cachedDebianPackage(request: DebianPackageRequest): DebianPackage | undefined {
  let best: DebianPackage | undefined;
  for (const entry of readdirSync(cacheFolder())) {
    const [, name, encoded, arch] = /^debian-(.+)_(.+)_([^_.]+)$/.exec(entry) ?? [];
    if (name === undefined || encoded === undefined || arch !== architectureOf(request)) continue;
    const version = decodeURIComponent(encoded);
    if (!request.name.test(name) || compareVersions(upstreamVersion(version), request.minimum) < 0) continue;
    if (best !== undefined && compareVersions(upstreamVersion(version), upstreamVersion(best.version)) <= 0) continue;
    best = { name, version, folder: join(cacheFolder(), entry) };
  }
  return best;
}

/**
 * The package, from the cache or downloaded now.
 * @throws TraplineError `SETUP_APT` when apt fails or no suite has a version that fits
 */
export function fetchDebianPackage(request: DebianPackageRequest): DebianPackage {
  const cached = cachedDebianPackage(request);
  if (cached !== undefined) return cached;
  const source = debianSource();
  if (source === undefined) throw new TraplineError('SETUP_APT', 'no Debian archive stands in the sources of apt');
  return withLock(join(cacheFolder(), 'apt.lock'), () => {
    for (const name of request.suites) {
      const suite = name === 'release' ? (releaseOf(source) ?? 'stable') : name;
      const room = join(cacheFolder(), `apt-${suite}`);
      try {
        const found = cachedDebianPackage(request) ?? fetchFromSuite(request, source, suite, room);
        if (found !== undefined) return found;
      } finally {
        // Package lists are large and soon out of date.
        rmSync(room, { recursive: true, force: true });
      }
    }
    throw new TraplineError(
      'SETUP_APT',
      `the Debian suites ${request.suites.join(', ')} hold no ${request.name.source} of version ${request.minimum} or later`,
    );
  });
}

function fetchFromSuite(
  request: DebianPackageRequest,
  source: AptSource,
  suite: string,
  room: string,
): DebianPackage | undefined {
  furnish(room, source, suite, architectureOf(request));
  say(`reading Debian's package list (${suite})`);
  apt(room, 'apt-get', ['update', '-q']);
  const names = apt(room, 'apt-cache', ['pkgnames'])
    .split('\n')
    .filter((name) => request.name.test(name));
  for (const name of names) {
    const version = /^ {2}Candidate: (\S+)$/m.exec(apt(room, 'apt-cache', ['policy', name]))?.[1];
    if (version === undefined || version === '(none)') continue;
    if (compareVersions(upstreamVersion(version), request.minimum) < 0) continue;
    const folder = cacheEntry(`debian-${name}_${encodeURIComponent(version)}_${architectureOf(request)}`, (aside) => {
      say(`downloading Debian's ${name} ${version} into ${cacheFolder()}`);
      const archive = join(room, 'download');
      mkdirSync(archive, { recursive: true });
      apt(room, 'apt-get', ['download', '-q', `${name}=${version}`], archive);
      const file = readdirSync(archive).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith('.deb'));
      if (file === undefined) throw new TraplineError('SETUP_APT', `apt-get download ${name} left no package`);
      run('dpkg', ['-x', join(archive, file), aside], archive, process.env);
    });
    return { name, version, folder };
  }
  return undefined;
}

/** Makes apt's private folders and configuration for one suite. */
function furnish(room: string, source: AptSource, suite: string, architecture: string): void {
  for (const folder of ['lists/partial', 'archives/partial', 'state', 'empty']) {
    mkdirSync(join(room, folder), { recursive: true });
  }
  const key = KEYRINGS.find((path) => existsSync(path)) ?? source.signedBy;
  const options = key === undefined ? '' : `[signed-by=${key}] `;
  writeFileSync(join(room, 'sources.list'), `deb ${options}${source.uri} ${suite} main\n`);
  writeFileSync(
    join(room, 'apt.conf'),
    [
      ...transportSettings(run('apt-config', ['dump'], room, process.env)),
      `APT::Architecture "${architecture}";`,
      `Dir::Etc::main "/dev/null";`,
      `Dir::Etc::parts "${room}/empty";`,
      `Dir::Etc::sourcelist "${room}/sources.list";`,
      `Dir::Etc::sourceparts "${room}/empty";`,
      `Dir::Etc::preferences "/dev/null";`,
      `Dir::Etc::preferencesparts "${room}/empty";`,
      `Dir::State "${room}/state";`,
      `Dir::State::lists "${room}/lists";`,
      `Dir::State::status "/var/lib/dpkg/status";`,
      `Dir::Cache "${room}/archives";`,
      // The unprivileged download user of apt cannot enter a private cache folder.
      `APT::Sandbox::User "root";`,
      `APT::Get::AllowUnauthenticated "false";`,
      `Acquire::AllowInsecureRepositories "false";`,
      `Acquire::AllowWeakRepositories "false";`,
      `Acquire::AllowDowngradeToInsecureRepositories "false";`,
      `Acquire::Languages "none";`,
      `Acquire::PDiffs "false";`,
      '',
    ].join('\n'),
  );
}

/**
 * The lines of `apt-config dump` that say how to reach a mirror (proxies, certificates, retries). Hooks, paths and
 * everything that concerns trust stay behind.
 */
export function transportSettings(dump: string): string[] {
  return dump
    .split('\n')
    .filter((line) =>
      /^Acquire::(http|https|ftp|tor|socks|Retries|Max-|Check-|ForceIPv|Proxy|Queue|Send)[^ ]* ".*";$/i.test(line),
    );
}

function debianSource(): AptSource | undefined {
  const files: string[] = [];
  const etc = '/etc/apt';
  if (existsSync(`${etc}/sources.list`)) files.push(`${etc}/sources.list`);
  if (existsSync(`${etc}/sources.list.d`)) {
    for (const name of readdirSync(`${etc}/sources.list.d`).sort()) {
      if (/\.(list|sources)$/.test(name)) files.push(`${etc}/sources.list.d/${name}`);
    }
  }
  const sources: AptSource[] = [];
  for (const file of files) {
    try {
      sources.push(...parseAptSources(file, readFileSync(file, 'utf8')));
    } catch {
      // A list that this user may not read names no mirror.
    }
  }
  return findDebianSource(sources);
}

function architectureOf(request: DebianPackageRequest): string {
  if (request.architecture !== undefined) return request.architecture;
  const names: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: 'i386', arm: 'armhf' };
  return names[process.arch] ?? process.arch;
}

function apt(room: string, command: string, args: readonly string[], folder = room): string {
  return run(command, args, folder, {
    ...process.env,
    APT_CONFIG: join(room, 'apt.conf'),
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
  });
}

function run(command: string, args: readonly string[], folder: string, env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(command, args, {
      cwd: folder,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    });
  } catch (cause) {
    const detail = String((cause as { stderr?: unknown }).stderr ?? (cause as Error).message);
    const line = detail.split('\n').find((text) => text.startsWith('E:')) ?? detail.trim().split('\n')[0] ?? '';
    throw new TraplineError('SETUP_APT', `${command} ${args[0] ?? ''} failed: ${line}`, { cause });
  }
}
