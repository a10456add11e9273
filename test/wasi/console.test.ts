import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { GloveportError } from '../../src/errors.ts';
import { ALL, makeHost, Preview1Guest, Stopped, stopOf, thrownBy, wasi02 } from './support.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('standard output', () => {
  test('reaches the sinks of the policy from both versions of WASI and is counted', () => {
    const { host, stdout, stderr } = makeHost();
    wasi02(host)['wasi:cli/stdout'].getStdout().blockingWriteAndFlush(bytes('one '));
    wasi02(host)['wasi:cli/stderr'].getStderr().write(bytes('warning '));
    const guest = new Preview1Guest(host);
    expect(guest.write(1, 'two', ' ', 'three')).toEqual({ errno: 0, count: 9 });
    expect(guest.write(2, 'error')).toEqual({ errno: 0, count: 5 });
    expect(stdout()).toBe('one two three');
    expect(stderr()).toBe('warning error');
    expect(host.outputBytes).toBe(26);
  });

  test('hands out copies, which a guest cannot change afterwards', () => {
    const chunks: Uint8Array[] = [];
    const { host } = makeHost({ stdout: (chunk) => chunks.push(chunk) });
    const guest = new Preview1Guest(host);
    guest.write(1, 'before');
    new Uint8Array(guest.memory.buffer).fill(0);
    expect(Buffer.concat(chunks).toString()).toBe('before');
  });

  test('is discarded and not counted without CONSOLE, and after it was revoked', () => {
    const { host, stdout } = makeHost({ grants: Cap.NONE });
    expect(new Preview1Guest(host).write(1, 'unheard').errno).toBe(0);
    wasi02(host)['wasi:cli/stdout'].getStdout().write(bytes('unheard'));
    expect([stdout(), host.outputBytes]).toEqual(['', 0]);

    const granted = makeHost();
    const stream = wasi02(granted.host)['wasi:cli/stdout'].getStdout();
    stream.write(bytes('heard'));
    granted.host.revoke(Cap.CONSOLE);
    stream.write(bytes('unheard'));
    expect(granted.stdout()).toBe('heard');
  });

  test('passes up to the limit, and one byte more stops the guest and is not delivered', () => {
    const { host, stdout } = makeHost({ limits: { outputBytes: 10 } });
    const guest = new Preview1Guest(host);
    expect(guest.write(1, '12345').errno).toBe(0);
    expect(guest.write(2, '67890').errno).toBe(0);
    expect(stopOf(() => guest.write(1, '!'))).toBe('OUTPUT_EXCEEDED');
    expect(stopOf(() => wasi02(host)['wasi:cli/stdout'].getStdout().write(bytes('!')))).toBe('OUTPUT_EXCEEDED');
    expect([stdout(), host.outputBytes]).toEqual(['12345', 10]);
  });

  test('delivers what is below the limit of a write that passes it', () => {
    const { host, stdout } = makeHost({ limits: { outputBytes: 4 } });
    expect(stopOf(() => new Preview1Guest(host).write(1, '123456'))).toBe('OUTPUT_EXCEEDED');
    expect(stdout()).toBe('1234');
  });

  test('a sink that throws stops the guest and shows it nothing', () => {
    const cause = 'no-entry';
    const { host } = makeHost({
      stdout: () => {
        throw cause;
      },
    });
    const stopped = thrownBy(() => new Preview1Guest(host).write(1, 'text'));
    expect(stopped).toBeInstanceOf(Stopped);
    expect((stopped as Stopped).reason).toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause });
  });

  test('writes beyond what check-write permits stop the guest before anything is allocated', () => {
    const { host } = makeHost();
    const stream = wasi02(host)['wasi:cli/stdout'].getStdout();
    const permitted = stream.checkWrite();
    stream.write(new Uint8Array(Number(permitted)));
    expect(stopOf(() => stream.write(new Uint8Array(Number(permitted) + 1)))).toBe('GUEST_TRAPPED');
    expect(stopOf(() => stream.writeZeroes(2n ** 64n - 1n))).toBe('GUEST_TRAPPED');
  });

  test('is never a terminal', () => {
    const { host } = makeHost();
    expect(wasi02(host)['wasi:cli/terminal-stdout'].getTerminalStdout()).toBeUndefined();
    const guest = new Preview1Guest(host);
    const result = guest.room(24);
    expect(guest.call('fd_fdstat_get', 1, result)).toBe(0);
    // C's isatty: a character device that cannot seek.
    const seekOrTell = (1n << 2n) | (1n << 5n);
    expect([guest.view.getUint8(result), (guest.view.getBigUint64(result + 8, true) & seekOrTell) !== 0n]).toEqual([2, true]);
    expect(guest.call('fd_seek', 1, 0n, 0, result)).toBe(70);
  });
});

describe('standard input', () => {
  test('gives everything once and then is at its end, for both versions', () => {
    const { host } = makeHost({ stdin: bytes('0123456789') });
    const stream = wasi02(host)['wasi:cli/stdin'].getStdin();
    expect(Buffer.from(stream.read(4n)).toString()).toBe('0123');
    expect(stream.skip(2n)).toBe(2n);
    const guest = new Preview1Guest(host);
    expect(guest.read(0, 100)).toEqual({ errno: 0, text: '6789' });
    expect(guest.read(0, 100)).toEqual({ errno: 0, text: '' });
    expect(thrownBy(() => stream.blockingRead(2n ** 64n - 1n))).toEqual({ tag: 'closed' });
    expect(thrownBy(() => stream.read(0n))).toEqual({ tag: 'closed' });
  });

  test('is at its end without CONSOLE, and from the moment it is revoked', () => {
    const { host } = makeHost({ stdin: bytes('secret'), grants: ALL & ~Cap.CONSOLE });
    expect(thrownBy(() => wasi02(host)['wasi:cli/stdin'].getStdin().read(10n))).toEqual({ tag: 'closed' });

    const granted = makeHost({ stdin: bytes('secret') });
    const guest = new Preview1Guest(granted.host);
    expect(guest.read(0, 2).text).toBe('se');
    granted.host.revoke(Cap.CONSOLE);
    expect(guest.read(0, 10)).toEqual({ errno: 0, text: '' });
  });
});

describe('arguments, environment and exit', () => {
  test('arguments are always there, variables only with ENV', () => {
    const policy = { args: ['tool', 'grüße'], env: { LANG: 'C', __proto__x: '1' } };
    const granted = wasi02(makeHost(policy).host)['wasi:cli/environment'];
    expect(granted.getArguments()).toEqual(['tool', 'grüße']);
    expect(granted.getEnvironment()).toEqual([
      ['LANG', 'C'],
      ['__proto__x', '1'],
    ]);
    const ungranted = wasi02(makeHost({ ...policy, grants: ALL & ~Cap.ENV }).host)['wasi:cli/environment'];
    expect([ungranted.getArguments(), ungranted.getEnvironment(), ungranted.initialCwd()]).toEqual([['tool', 'grüße'], [], undefined]);
  });

  test('preview 1 lays them out as C strings, and a revoked ENV empties the environment', () => {
    const { host } = makeHost({ args: ['a', 'bcd'], env: { X: 'é' } });
    const guest = new Preview1Guest(host);
    const [count, size, pointers, buffer] = [guest.room(4), guest.room(4), guest.room(8), guest.room(16)];
    expect(guest.call('args_sizes_get', count, size)).toBe(0);
    expect([guest.view.getUint32(count, true), guest.view.getUint32(size, true)]).toEqual([2, 6]);
    expect(guest.call('args_get', pointers, buffer)).toBe(0);
    expect(guest.get(buffer, 6).toString()).toBe('a\0bcd\0');
    expect(guest.view.getUint32(pointers + 4, true)).toBe(buffer + 2);
    expect(guest.call('environ_sizes_get', count, size)).toBe(0);
    expect([guest.view.getUint32(count, true), guest.view.getUint32(size, true)]).toEqual([1, 5]);
    host.revoke(Cap.ENV);
    expect(guest.call('environ_sizes_get', count, size)).toBe(0);
    expect(guest.view.getUint32(count, true)).toBe(0);
  });

  test('the working directory is what the host says, to every guest', () => {
    for (const grants of [ALL, Cap.NONE]) expect(wasi02(makeHost({ grants, cwd: '/work' }).host)['wasi:cli/environment'].initialCwd()).toBe('/work');
  });

  test('each look at them is paid for, by their number and their size', () => {
    const units = (policy: Parameters<typeof makeHost>[0], look: (guest: Preview1Guest, wasi: ReturnType<typeof wasi02>) => unknown): number => {
      const { host, control } = makeHost(policy);
      look(new Preview1Guest(host), wasi02(host));
      return control.units;
    };
    const looks = [
      (_: Preview1Guest, wasi: ReturnType<typeof wasi02>) => [wasi['wasi:cli/environment'].getArguments(), wasi['wasi:cli/environment'].getEnvironment()],
      (guest: Preview1Guest) => [guest.call('args_get', 8, 65_536), guest.call('environ_get', 8, 65_536)],
      (guest: Preview1Guest) => [guest.call('args_sizes_get', 8, 16), guest.call('environ_sizes_get', 8, 16)],
    ];
    for (const look of looks) {
      const none = units({ args: [] }, look);
      const many = { args: Array<string>(100).fill('a'), env: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`V${index}`, ''])) };
      expect(units(many, look) - none).toBeGreaterThan(200 * 1_000);
      expect(units({ args: ['x'.repeat(80_000)], env: { X: 'x'.repeat(80_000) } }, look) - none).toBeGreaterThan(20_000);
    }
  });

  test('nothing of the process is read: no variable, directory or argument shows up ungranted', () => {
    process.env.GLOVEPORT_CANARY = 'canary';
    try {
      const { host } = makeHost();
      expect(wasi02(host)['wasi:cli/environment'].getEnvironment()).toEqual([]);
      expect(wasi02(host)['wasi:filesystem/preopens'].getDirectories()).toEqual([]);
    } finally {
      delete process.env.GLOVEPORT_CANARY;
    }
  });

  test.each([
    ['proc_exit 0', 0, (guest: Preview1Guest) => guest.call('proc_exit', 0)],
    ['proc_exit 7', 7, (guest: Preview1Guest) => guest.call('proc_exit', 7)],
    ['proc_exit -1', 2 ** 32 - 1, (guest: Preview1Guest) => guest.call('proc_exit', -1)],
  ])('%s stops the guest with its code', (_name, exitCode, exit) => {
    const stopped = thrownBy(() => exit(new Preview1Guest(makeHost().host)));
    expect((stopped as Stopped).reason).toBeInstanceOf(GloveportError);
    expect((stopped as Stopped).reason).toMatchObject({ code: 'GUEST_EXITED', details: { exitCode } });
  });

  test('exit of WASI 0.2 stops the guest with 0 for ok, 1 for err, or the code', () => {
    const { exit, exitWithCode } = wasi02(makeHost().host)['wasi:cli/exit'];
    const codeOf = (call: () => never) => (thrownBy(call) as Stopped).reason.details.exitCode;
    expect([codeOf(() => exit({ tag: 'ok' })), codeOf(() => exit({ tag: 'err' })), codeOf(() => exitWithCode(42))]).toEqual([0, 1, 42]);
  });
});
