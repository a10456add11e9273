// All programs of the benchmark.
import { installPackages } from './packages.ts';
import { compilers } from './programs/compilers.ts';
import { languages } from './programs/languages.ts';
import { libraries } from './programs/libraries.ts';
import type { Program } from './programs/program.ts';
import { sightglassPrograms } from './programs/sightglass.ts';

/** The programs out of npm packages, which are installed first, and those of Sightglass, where there is a checkout. */
export async function programs(): Promise<readonly Program[]> {
  await installPackages();
  return [...languages, ...compilers, ...libraries, ...sightglassPrograms(process.env.SIGHTGLASS)];
}

export async function findProgram(name: string): Promise<Program> {
  const program = (await programs()).find((candidate) => candidate.name === name);
  if (program === undefined) throw new Error(`there is no program ${name}`);
  return program;
}
