// wasi:cli 0.2 without `run`: environment, exit, standard streams, and terminals, of which there are none.
import { Cap } from '../../capabilities.ts';
import { GloveportError } from '../../errors.ts';
import type { Console, OutputSink } from '../console.ts';
import type { WasiContext } from '../context.ts';
import { READY } from '../waiting.ts';
import { InputStream, MAX_TRANSFER_BYTES, OutputStream } from './io.ts';
import { interfaceOf, Resource } from './resource.ts';

/** What the host chose for the guest's command line. */
export interface CommandLine {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
}

export class TerminalInput extends Resource {}

export class TerminalOutput extends Resource {}

/** The interfaces of wasi:cli. */
export function cliInterfaces(context: WasiContext, console: Console, commandLine: CommandLine) {
  const output = (sink: OutputSink) => () =>
    new OutputStream(context, { ready: READY, permit: () => MAX_TRANSFER_BYTES, write: (bytes) => console.write(sink, bytes) });
  const none = () => undefined;
  const given = <Entry>(entries: Entry[]): Entry[] => {
    context.chargeEntries(entries.length);
    return entries;
  };
  return {
    'wasi:cli/environment': interfaceOf({
      getEnvironment: () => given(context.allows(Cap.ENV) ? Object.entries(commandLine.env) : []),
      getArguments: () => given([...commandLine.args]),
      initialCwd: none,
    }),
    'wasi:cli/exit': interfaceOf({
      exit: (status: { readonly tag: 'ok' | 'err' }) => context.exit(status.tag === 'ok' ? 0 : 1),
      exitWithCode: (code: number) => exitWithCode(context, code),
    }),
    'wasi:cli/stdin': interfaceOf({ getStdin: () => new InputStream(context, { ready: READY, read: (limit) => readInput(console, limit) }) }),
    'wasi:cli/stdout': interfaceOf({ getStdout: output(commandLine.stdout) }),
    'wasi:cli/stderr': interfaceOf({ getStderr: output(commandLine.stderr) }),
    'wasi:cli/terminal-input': interfaceOf({ TerminalInput }),
    'wasi:cli/terminal-output': interfaceOf({ TerminalOutput }),
    'wasi:cli/terminal-stdin': interfaceOf({ getTerminalStdin: none }),
    'wasi:cli/terminal-stdout': interfaceOf({ getTerminalStdout: none }),
    'wasi:cli/terminal-stderr': interfaceOf({ getTerminalStderr: none }),
  };
}

function exitWithCode(context: WasiContext, code: number): never {
  if (Number.isInteger(code) && code >= 0 && code <= 255) context.exit(code);
  return context.control.stop(new GloveportError('GUEST_TRAPPED', 'the guest exited with something that is no code from 0 to 255'));
}

function readInput(console: Console, limit: number): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.min(limit, console.inputLeft));
  return console.read(bytes) === 0 ? undefined : bytes;
}
