#!/usr/bin/env node
// The command `gloveport`. Each command has a file of its own; this one puts them together and turns errors into a line and an exit code.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { GloveportError } from '../errors.ts';
import { runCommand } from './run.ts';

/** Exit code when gloveport itself refuses or stops something, as opposed to the guest's own exit code. */
const FAILED = 125;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('gloveport')
  .description('Runs untrusted WebAssembly: deny by default, metered.')
  .version(version)
  .option('--debug', 'show the stack of an error')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'gloveport: ')) })
  .addCommand(runCommand());

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : FAILED;
  const known = error instanceof GloveportError;
  process.stderr.write(`gloveport: ${known ? `${error.code}: ${error.message}` : String(error)}\n`);
  if (program.opts<{ debug?: boolean }>().debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return FAILED;
}
