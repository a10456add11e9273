// A process of its own for the tests of the cache: compiles the component that it is sent, calls `number`, and sends what that returns.
import { compileProgram } from '../../src/component/compile.ts';
import { limits } from '../../src/limits.ts';
import { instantiate } from './support.ts';

process.once('message', async (bytes: Uint8Array) => {
  const program = await compileProgram(bytes, { limits: limits.default, cacheDirectory: process.argv[2] as string });
  process.send?.(instantiate(program).call('number'));
  process.disconnect?.();
});
