// How the tests run. They import the sources, also under the package's own name, so that no test sees an old build; what ships is tested by
// the package smoke test.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  resolve: {
    alias: [
      { find: /^gloveport$/, replacement: fileURLToPath(new URL('../src/index.ts', import.meta.url)) },
      { find: /^gloveport\/metering$/, replacement: fileURLToPath(new URL('../src/metering/index.ts', import.meta.url)) },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // Large guests compile slowly on a busy machine; no test measures time by this.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
