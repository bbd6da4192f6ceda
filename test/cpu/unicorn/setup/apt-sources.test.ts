// SPDX-License-Identifier: MIT
//
// Source lists as they are found on real machines, with made-up host names.

import { describe, expect, it } from 'vitest';
import { findDebianSource, parseAptSources, releaseOf } from '../../../../src/cpu/unicorn/setup/apt-sources.ts';

const DEB822 = `Types: deb
# http://old.example/archive/debian/20250101T000000Z
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://archive.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;

describe('parseAptSources', () => {
  it('reads deb822 stanzas and passes over comments inside them', () => {
    expect(parseAptSources('debian.sources', DEB822)[0]).toEqual({
      uri: 'http://archive.example/debian',
      suites: ['bookworm', 'bookworm-updates'],
      components: ['main'],
      signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
    });
  });

  it('reads continuation lines, several URIs and both package types of a stanza', () => {
    const text =
      'Types: deb deb-src\nURIs: http://a.example/debian\n http://b.example/debian\nSuites: trixie\nComponents: main\n contrib\n';
    const sources = parseAptSources('x.sources', text);
    expect(sources.map((source) => source.uri)).toEqual(['http://a.example/debian', 'http://b.example/debian']);
    expect(sources[0]?.components).toEqual(['main', 'contrib']);
  });

  it('leaves out stanzas that are disabled or for sources only', () => {
    const disabled = 'Enabled: no\nTypes: deb\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\n';
    const sourceOnly = 'Types: deb-src\nURIs: http://b.example/debian\nSuites: sid\nComponents: main\n';
    expect(parseAptSources('x.sources', `${disabled}\n${sourceOnly}`)).toEqual([]);
  });

  it('does not take a key that is written into the field for a path', () => {
    const text =
      'Types: deb\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n';
    expect(parseAptSources('x.sources', text)[0]).not.toHaveProperty('signedBy');
  });

  it('reads one-line entries with and without options and trailing comments', () => {
    const text = [
      '# deb http://commented.example/debian bookworm main',
      'deb-src http://sources.example/debian bookworm main',
      'deb http://plain.example/debian bookworm main contrib # the mirror next door',
      '  deb [arch=amd64 signed-by=/keys/debian.gpg] http://options.example/debian bookworm main',
    ].join('\n');
    expect(parseAptSources('sources.list', text)).toEqual([
      { uri: 'http://plain.example/debian', suites: ['bookworm'], components: ['main', 'contrib'] },
      {
        uri: 'http://options.example/debian',
        suites: ['bookworm'],
        components: ['main'],
        signedBy: '/keys/debian.gpg',
      },
    ]);
  });
});

describe('findDebianSource', () => {
  const vendors = [
    'deb https://packages.vendor.example/apt cloud-sdk-bookworm main',
    'deb https://download.vendor.example/linux/debian bookworm stable',
    'deb https://apt.vendor.example bookworm main',
    'deb http://archive.example/debian-security bookworm-security main',
  ];

  it("takes the first Debian archive and passes over other vendors' and the security archive", () => {
    const text = [
      ...vendors,
      'deb http://first.example/debian/ bookworm main',
      'deb http://second.example/debian bookworm main',
    ].join('\n');
    expect(findDebianSource(parseAptSources('sources.list', text))?.uri).toBe('http://first.example/debian/');
  });

  it('accepts a mirror list in a file', () => {
    const text = 'Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm\nComponents: main\n';
    expect(findDebianSource(parseAptSources('x.sources', text))?.uri).toBe(
      'mirror+file:///etc/apt/mirrors/debian.list',
    );
  });

  it('finds none among vendors only', () => {
    expect(findDebianSource(parseAptSources('sources.list', vendors.join('\n')))).toBeUndefined();
  });

  it('tells the release from its updates', () => {
    const source = findDebianSource(parseAptSources('debian.sources', DEB822));
    expect(source && releaseOf(source)).toBe('bookworm');
  });
});
