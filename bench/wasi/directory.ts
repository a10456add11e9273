// A directory for a benchmark, which is gone when it ends.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Has `work` done with a directory that holds `files`, and ends the process: preview2-shim's worker would keep it. */
export async function withDirectory(
  files: Readonly<Record<string, Uint8Array>>,
  work: (path: string, files: Readonly<Record<string, Uint8Array>>) => Promise<void>,
): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'gloveport-bench-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
    await work(path, files);
  } finally {
    rmSync(path, { recursive: true });
  }
  process.exit();
}
