// wasi:cli 0.2 without `run`: environment, exit, standard streams, and terminals, of which there are none.
import { GloveportError } from '../../errors.ts';
import type { Console } from '../console.ts';
import type { WasiContext } from '../context.ts';
import type { Environment } from '../environment.ts';
import type { StandardOutput } from '../standard-output.ts';
import { CLOSED, InputStream, OutputStream } from './io.ts';
import { interfaceOf, Resource } from './resource.ts';

export class TerminalInput extends Resource {}

export class TerminalOutput extends Resource {}

/** The interfaces of wasi:cli. */
export function cliInterfaces(context: WasiContext, console: Console, environment: Environment) {
  const { stdin, stdout, stderr } = console;
  const none = () => undefined;
  return {
    'wasi:cli/environment': interfaceOf({
      getEnvironment: () => environment.variables(),
      getArguments: () => environment.arguments(),
      initialCwd: () => environment.workingDirectory(),
    }),
    'wasi:cli/exit': interfaceOf({
      exit: (status: { readonly tag: 'ok' | 'err' }) => context.exit(status.tag === 'ok' ? 0 : 1),
      exitWithCode: (code: number) => exitWithCode(context, code),
    }),
    'wasi:cli/stdin': interfaceOf({ getStdin: () => new InputStream(context, { ready: stdin.ready, read: (limit) => stdin.read(limit) }) }),
    'wasi:cli/stdout': interfaceOf({ getStdout: () => outputStream(context, stdout) }),
    'wasi:cli/stderr': interfaceOf({ getStderr: () => outputStream(context, stderr) }),
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

function outputStream(context: WasiContext, output: StandardOutput): OutputStream {
  return new OutputStream(context, {
    ready: output.ready,
    permit: () => closedForPipe(() => output.permit()),
    write: (bytes) => closedForPipe(() => output.write(bytes)),
    flush: () => output.flush(),
  });
}

// That nobody takes what is written is the end of a stream here, where other interfaces have an error for it.
function closedForPipe<Result>(operation: () => Result): Result {
  try {
    return operation();
  } catch (error) {
    throw error === 'pipe' ? CLOSED : error;
  }
}
