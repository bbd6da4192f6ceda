// SPDX-License-Identifier: MIT
//
// Rebuilds the guests with this machine's gcc and binutils (the committed ones come from Debian 12's) and compares
// them with guests/bin and guests/manifest.json. `--write` replaces binaries and hashes instead.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'guests');
const manifestFile = join(folder, 'manifest.json');
const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
const write = process.argv.includes('--write');
const problems = [];

const sources = readdirSync(folder).filter((name) => /\.(S|c)$/.test(name));
for (const source of sources) {
  if (!manifest.guests.some((guest) => guest.source === source)) problems.push(`${source} is not in manifest.json`);
}

const scratch = mkdtempSync(join(tmpdir(), 'trapline-guests-'));
try {
  for (const guest of manifest.guests) {
    const output = join(scratch, `${guest.name}.elf`);
    // Assembled in guests/ by relative names, so that no path of this machine gets into the file.
    const flags = [...manifest.flags.all, ...(guest.source.endsWith('.c') ? manifest.flags.c : [])];
    if (guest.symbols !== true) flags.push('-s');
    execFileSync('gcc', [...flags, guest.source, '-o', output], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const built = readFileSync(output);
    const sha256 = createHash('sha256').update(built).digest('hex');
    const committed = join(folder, 'bin', `${guest.name}.elf`);
    if (write) {
      writeFileSync(committed, built, { mode: 0o755 });
      guest.sha256 = sha256;
    } else {
      if (sha256 !== guest.sha256)
        problems.push(`${guest.name}: rebuilt it hashes to ${sha256}, not to ${guest.sha256}`);
      if (!readFileSync(committed).equals(built))
        problems.push(`${guest.name}: bin/${guest.name}.elf is not what its source gives`);
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (write) writeFileSync(manifestFile, `${JSON.stringify(manifest, undefined, 2)}\n`);

for (const name of readdirSync(join(folder, 'bin'))) {
  if (!manifest.guests.some((guest) => `${guest.name}.elf` === name))
    problems.push(`bin/${name} is not in manifest.json`);
}
for (const problem of problems) console.error(`guests: ${problem}`);
console.log(
  `${manifest.guests.length} guests ${write ? 'built' : 'rebuilt and compared'}, ${problems.length} problems`,
);
process.exit(problems.length === 0 ? 0 : 1);
