// SPDX-License-Identifier: MIT
//
// Reads apt's source lists, in the one-line and the deb822 format (sources.list(5)), to learn which Debian
// mirror this machine uses. Other vendors' entries and everything in comments are passed over.

/** One archive that apt is told to use. */
export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Path of the key that must have signed it, when one is named. */
  readonly signedBy?: string;
}

const CODE_NAMES = [
  'stable',
  'oldstable',
  'testing',
  'unstable',
  'sid',
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'duke',
];

/** Entries for binary packages in one file, in order; `name` decides the format as apt does (.sources is deb822). */
export function parseAptSources(name: string, text: string): AptSource[] {
  return name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text);
}

/** The first entry that is Debian's own main archive (neither a vendor's nor the security archive). */
export function findDebianSource(sources: readonly AptSource[]): AptSource | undefined {
  return sources.find(
    (source) =>
      source.components.includes('main') &&
      source.suites.some((suite) => CODE_NAMES.includes(suite.replace(/-(updates|backports)$/, ''))) &&
      /(^|[/:])debian(\.list)?\/*$/.test(source.uri),
  );
}

/** Code name of the release that an entry follows, such as bookworm. */
export function releaseOf(source: AptSource): string | undefined {
  return source.suites.find((suite) => CODE_NAMES.includes(suite));
}

function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const words = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?([^\s#]+)\s+([^\s#]+)([^#]*)/.exec(line);
    if (words === null) continue;
    const [, options = '', uri = '', suite = '', components = ''] = words;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    sources.push({ uri, suites: [suite], components: split(components), ...(signedBy !== undefined && { signedBy }) });
  }
  return sources;
}

function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  for (const stanza of lines.join('\n').split(/\n[ \t]*\n/)) {
    const fields = new Map<string, string>();
    let field = '';
    for (const line of stanza.split('\n')) {
      const start = /^([^\s:]+)\s*:(.*)$/.exec(line);
      if (start !== null) {
        field = (start[1] ?? '').toLowerCase();
        fields.set(field, (start[2] ?? '').trim());
      } else if (field !== '' && line.trim() !== '') {
        fields.set(field, `${fields.get(field) ?? ''} ${line.trim()}`.trim());
      }
    }
    if (fields.get('enabled')?.toLowerCase() === 'no' || !split(fields.get('types') ?? '').includes('deb')) continue;
    const signedBy = fields.get('signed-by');
    for (const uri of split(fields.get('uris') ?? '')) {
      sources.push({
        uri,
        suites: split(fields.get('suites') ?? ''),
        components: split(fields.get('components') ?? ''),
        // A key may also stand in the field itself, over several lines; only a path can be handed on.
        ...(signedBy?.startsWith('/') && { signedBy }),
      });
    }
  }
  return sources;
}

function split(words: string): string[] {
  return words.split(/\s+/).filter((word) => word !== '');
}
