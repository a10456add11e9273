// All figures of metering: `node bench/metering/run.ts [--quick] [part of a program's name]…`. What they mean: see README.md.
import { availableParallelism, cpus } from 'node:os';
import { main as overhead } from './overhead.ts';
import { main as soundness } from './soundness.ts';
import { main as speed } from './speed.ts';

const args = process.argv.slice(2);
const { node, v8 } = process.versions;
console.log(`Node ${node}, V8 ${v8}, ${process.platform} ${process.arch}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}\n`);
await overhead(args);
console.log();
await speed(args.filter((argument) => argument === '--quick'));
console.log();
await soundness([]);
