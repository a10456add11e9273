// All figures of the WASI host: `npm run bench:wasi`, or `node bench/wasi/run.ts calls` for some of them. What they mean: see README.md. Each part has a
// process of its own, since what ran before changes what the engine makes of the next.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const PARTS = ['files', 'calls', 'streams', 'http'];

const wanted = process.argv.slice(2);
const { node, v8 } = process.versions;
console.log(`Node ${node}, V8 ${v8}, ${process.platform} ${process.arch}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}`);
for (const part of PARTS.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  console.log(`\n# ${part}`);
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL(`${part}.ts`, import.meta.url))], { stdio: 'inherit' });
}
