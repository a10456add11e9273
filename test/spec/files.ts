// Which files of a folder are scripts of what the engine ships.
import { globSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface ScriptFile {
  /** Relative to the folder, with slashes. */
  readonly name: string;
  readonly path: string;
}

/** The scripts below a folder, or one script. Of `proposals` only those folders that are shipped: the others belong to no engine yet. */
export function scriptFiles(root: string): readonly ScriptFile[] {
  if (statSync(root).isFile()) return [{ name: basename(root), path: root }];
  return globSync('**/*.wast', { cwd: root })
    .map((name) => ({ name: name.replaceAll('\\', '/'), path: join(root, name) }))
    .filter(({ name }) => !name.startsWith('proposals/') || SHIPPED.has(dirname(name)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const SHIPPED = new Set(['proposals/threads']);
