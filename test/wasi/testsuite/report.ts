// Runs the programs of the WASI test suite below a folder and prints what does not pass: `node test/wasi/testsuite/report.ts <folder> [part of a name]`.
import { suitePrograms } from './programs.ts';
import { failuresOf, KINDS } from './run.ts';

const [folder = '.', part = ''] = process.argv.slice(2);
const programs = suitePrograms(folder).filter(({ name }) => name.includes(part));
for (const kind of KINDS) {
  let passed = 0;
  for (const program of programs) {
    const failures = await failuresOf(program, kind);
    if (failures.length === 0) passed += 1;
    for (const failure of failures) console.log(`${program.name} on a ${kind} directory: ${failure.trim()}`);
  }
  console.log(`${passed} of ${programs.length} programs pass on a ${kind} directory`);
}
