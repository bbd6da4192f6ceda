// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { transportSettings } from '../../../../src/cpu/unicorn/setup/debian-package.ts';
import { distributionIds, installCommand } from '../../../../src/cpu/unicorn/setup/system.ts';

describe('installCommand', () => {
  it.each([
    ['ID=arch\n', 'sudo pacman -S unicorn'],
    ['NAME="Alpine Linux"\nID=alpine\n', 'sudo apk add unicorn'],
    ['ID=ubuntu\nID_LIKE=debian\n', 'sudo apt-get install libunicorn2t64'],
    ['ID="rhel"\nID_LIKE="fedora"\n', 'sudo dnf install unicorn'],
  ])('of %j is %s', (release, command) => {
    expect(installCommand('library', distributionIds(release))).toBe(command);
  });

  it('is unknown for an unknown system', () => {
    expect(installCommand('compiler', distributionIds('ID=unheard-of\n'))).toBeUndefined();
  });
});

describe('transportSettings', () => {
  it('keeps how mirrors are reached and leaves hooks, paths and trust behind', () => {
    const dump = [
      'Acquire::http::Proxy "http://proxy.example:3128";',
      'Acquire::Check-Valid-Until "false";',
      'Acquire::AllowInsecureRepositories "1";',
      'APT::Update::Post-Invoke:: "rm -rf everything";',
      'Dir::State "var/lib/apt";',
      'Acquire "";',
    ].join('\n');
    expect(transportSettings(dump)).toEqual([
      'Acquire::http::Proxy "http://proxy.example:3128";',
      'Acquire::Check-Valid-Until "false";',
    ]);
  });
});
