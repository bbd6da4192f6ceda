// SPDX-License-Identifier: MIT
//
// `trapline doctor`: what this installation consists of, and whether its engine does what Trapline relies on.
// `--setup` makes ready what the first run would otherwise have to (compile, download).

import { TraplineError } from '../base/errors.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { compilerVersion, ensureUnicorn, findCompiler, showSteps } from '../cpu/unicorn/setup/index.ts';
import { writeToStderr, writeToStdout } from './output-file.ts';
import { packageVersion } from './package-version.ts';
import { selfTest } from './self-test.ts';

const SELF_TEST_MEMORY = 16 << 20;

export interface DoctorOptions {
  /** Only make everything ready. */
  readonly setup?: boolean;
  /** Print nothing when all is well. */
  readonly quiet?: boolean;
}

/** Exit status: 0 when Trapline can run guests here, 125 when it cannot. */
export function doctorCommand(options: DoctorOptions): number {
  const print = (label: string, text: string): void => {
    if (options.quiet !== true) writeToStdout(`${label.padEnd(12)}${text}\n`);
  };
  print('trapline', packageVersion());
  print('node', `${process.versions.node} (${process.platform} ${process.arch})`);
  const compiler = findCompiler();
  print(
    'compiler',
    compiler === undefined ? 'none found (needed once, to build the binding)' : compilerVersion(compiler),
  );
  try {
    showSteps();
    const setup = ensureUnicorn();
    print('library', `libunicorn ${setup.libraryVersion}, ${setup.libraryPath} (${setup.libraryOrigin})`);
    print('binding', setup.addonPath);
    if (options.setup === true) return 0;
    return examineEngine(print);
  } catch (error) {
    if (!(error instanceof TraplineError)) throw error;
    writeToStderr(`trapline: ${error.message}\n`);
    return 125;
  }
}

function examineEngine(print: (label: string, text: string) => void): number {
  const cpu = openUnicorn({ memoryBytes: SELF_TEST_MEMORY });
  try {
    print('engine', cpu.name);
    const results = selfTest(cpu);
    for (const { name, passed, detail } of results)
      print(passed ? '  ok' : '  FAILED', passed ? name : `${name}: ${detail}`);
    const failures = results.filter((result) => !result.passed);
    if (failures.length === 0) return 0;
    writeToStderr(
      `trapline: the engine failed ${failures.length} of ${results.length} checks; use another libunicorn (TRAPLINE_LIBUNICORN)\n`,
    );
    return 125;
  } finally {
    cpu.dispose();
  }
}
