// A component on jco and preview2-shim, to compare with: the same bytes, transpiled as `jco transpile` does it, without a sandbox or a meter.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transpile } from '@bytecodealliance/jco';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';

type Instantiate = (core: (path: string) => WebAssembly.Module, imports: object) => Promise<Record<string, unknown>>;

export type ShimOptions = NonNullable<NonNullable<ConstructorParameters<typeof WASIShim>[0]>['sandbox']>;

/** The exports of `component`, with the mounts and the environment of `sandbox`. */
export async function onPreview2Shim(component: Uint8Array, sandbox: ShimOptions): Promise<Record<string, unknown>> {
  const { files } = await transpile(component, { name: 'component', instantiation: 'async', noTypescript: true } as never);
  const cores = new Map<string, WebAssembly.Module>();
  const folder = await mkdtemp(join(tmpdir(), 'gloveport-shim-'));
  try {
    for (const [name, bytes] of Object.entries(files as Record<string, Uint8Array>)) {
      if (name.endsWith('.wasm')) cores.set(name, new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>));
      const path = join(folder, name.endsWith('.js') ? name.replace(/\.js$/, '.mjs') : name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
    const { instantiate } = (await import(pathToFileURL(join(folder, 'component.mjs')).href)) as { instantiate: Instantiate };
    return await instantiate((path) => cores.get(path) as WebAssembly.Module, new WASIShim({ sandbox }).getImportObject());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
