// SPDX-License-Identifier: MIT
//
// Modules of this project with one place of one source file changed: what a check is worth shows when it is left out.
// Each change gets a copy of all modules that it can reach; nothing in src/ knows of it.

import { fileURLToPath } from 'node:url';

import { createServer, createServerModuleRunner } from 'vite';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A place of a source file, and what is there instead. */
export interface SourceChange {
  /** From the project's root on. */
  readonly file: string;
  /** Is there exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface ChangedSource {
  /**
   * Loads a module anew with a change made.
   * @throws when the file does not have the place exactly once
   */
  load(module: string, change: SourceChange): Promise<unknown>;
  close(): Promise<void>;
}

export async function openChangedSource(): Promise<ChangedSource> {
  let change: SourceChange | null = null;
  let wasMade = false;
  const edit = (code: string, id: string): string | null => {
    if (change === null || id !== ROOT + change.file) return null;
    const parts = code.split(change.from);
    if (parts.length !== 2) throw new Error(`${change.file} has ${parts.length - 1} times: ${change.from}`);
    wasMade = true;
    return parts.join(change.to);
  };
  const server = await createServer({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    appType: 'custom',
    optimizeDeps: { noDiscovery: true },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    plugins: [{ name: 'source-change', enforce: 'pre', transform: edit }],
  });
  const { moduleGraph } = server.environments.ssr;
  const runner = createServerModuleRunner(server.environments.ssr, { hmr: false });
  const forget = (file: string): void => {
    for (const module of moduleGraph.getModulesByFile(ROOT + file) ?? []) moduleGraph.invalidateModule(module);
  };
  return {
    async load(module, next) {
      if (change !== null) forget(change.file);
      change = next;
      wasMade = false;
      forget(next.file);
      runner.clearCache();
      const loaded: unknown = await runner.import(`/${module}`);
      if (!wasMade) throw new Error(`${module} does not use ${next.file}`);
      return loaded;
    },
    close: () => server.close(),
  };
}
