// Run in a process of its own by `speed.ts`: how many milliseconds the first rewriting of a module takes, loading the rewriter's own code aside.
import { readFileSync } from 'node:fs';
import { meter } from '../../src/metering/rewrite.ts';

const bytes = readFileSync(process.argv[2] as string);
const start = performance.now();
meter(bytes);
console.log(performance.now() - start);
