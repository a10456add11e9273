// Preview 1 called as no library would: every argument chosen to hurt. What comes back is an errno, or the guest is stopped; the host holds no more than
// before, and nothing outside of the buffers that were given is written.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { PARAMETERS } from '../../src/wasi/preview1/signatures.ts';
import { providedFunctions } from '../../src/wasi/requirements.ts';
import { listing } from './files.ts';
import {
  ALL,
  EVERY_RIGHT,
  FIRST_PREOPEN,
  makeHost,
  makeMount,
  MOUNT_KINDS,
  openDescriptors,
  OpenFlag,
  Preview1Guest,
  Stopped,
  type TestHost,
} from './support.ts';

const FAULT = 21;

function guestOn(kind: 'memory' | 'host' = 'memory', files: Record<string, string> = { 'a.txt': '0123456789' }): Preview1Guest {
  return new Preview1Guest(makeHost({ mounts: { '/data': makeMount(kind, files).mount } }).host);
}

describe('a call with any arguments', () => {
  // Around what is there: descriptors, small buffers in the guest's memory, its end, and the edges of numbers.
  const number = fc.oneof(
    { arbitrary: fc.integer({ min: 0, max: 8 }), weight: 6 },
    { arbitrary: fc.integer({ min: 0, max: 4096 }), weight: 6 },
    { arbitrary: fc.constantFrom(65_535, 65_536, 65_532, -1, -4, -8, 2 ** 31 - 1, -(2 ** 31), 1024, 1025), weight: 2 },
    { arbitrary: fc.integer(), weight: 1 },
  );
  const wide = fc.oneof(
    { arbitrary: fc.bigInt({ min: 0n, max: 100n }), weight: 4 },
    { arbitrary: fc.constantFrom(-1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), EVERY_RIGHT, 1n << 6n, 1n << 1n), weight: 3 },
    { arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), weight: 1 },
  );
  const call = fc
    .constantFrom(...PARAMETERS.keys())
    .chain((name) => fc.tuple(fc.constant(name), fc.tuple(...(PARAMETERS.get(name) ?? []).map((type) => (type === 'i64' ? wide : number)))));
  // Paths, lists of buffers and subscriptions come out of the same bytes.
  const content = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 512 }),
    fc.constantFrom('a.txt', 'sub', '..', 'sub/b', 'new', '/', 'a.txt/').map((text) => Buffer.from(text)),
  );

  const play = (made: TestHost, module: string, calls: readonly (readonly [string, readonly unknown[]])[], bytes: Uint8Array): void => {
    made.control.budget = 50_000_000;
    const guest = new Preview1Guest(made.host, { module });
    for (let at = 0; at < 4096 && bytes.length > 0; at += bytes.length) new Uint8Array(guest.memory.buffer).set(bytes, at);
    try {
      for (const [name, args] of calls) {
        if (name === 'sock_accept' && module === 'wasi_unstable') continue;
        const errno = guest.call(name, ...(args as number[]));
        if (!(Number.isInteger(errno) && errno >= 0 && errno <= 76)) throw new Error(`${name}(${args.join(', ')}) gave ${errno}`);
      }
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      expect(['GUEST_EXITED', 'FUEL_EXHAUSTED', 'HANDLES_EXCEEDED', 'OUTPUT_EXCEEDED']).toContain(error.reason.code);
    }
  };

  test.each(MOUNT_KINDS.flatMap((kind) => ['wasi_snapshot_preview1', 'wasi_unstable'].map((module) => ({ kind, module }))))(
    'gives an errno or stops the guest, and leaves nothing open: $module on a $kind directory',
    ({ kind, module }) => {
      const before = openDescriptors();
      fc.assert(
        fc.property(fc.array(call, { minLength: 1, maxLength: 40 }), content, (calls, bytes) => {
          const { mount } = makeMount(kind, { 'a.txt': '0123456789', 'sub/b': 'below' });
          // Without TIME, nothing that is waited for takes time.
          const made = makeHost({ grants: ALL & ~Cap.TIME, mounts: { '/data': mount }, limits: { hostBytes: 1_000_000, outputBytes: 10_000, handles: 20 } });
          try {
            play(made, module, calls, bytes);
          } finally {
            made.host.dispose();
          }
        }),
        { numRuns: 150 },
      );
      expect(openDescriptors()).toBe(before);
    },
  );

  test('is known by its types for every function', () => {
    expect([...PARAMETERS.keys()].sort()).toEqual([...(providedFunctions().get('wasi_snapshot_preview1') ?? [])].sort());
  });
});

describe('pointers', () => {
  test('at the last byte, past the end, and what is reckoned from them past 4 GiB, are EFAULT and not the beginning of the memory', () => {
    const guest = guestOn();
    const pages = 65_536;
    guest.memory.grow(pages - 4);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const result = guest.room(8);
    // The last 8 bytes are an empty buffer; a second one would stand at 0, and a record there would be its rest.
    expect(guest.call('fd_write', fd, -8, 1, result)).toBe(0);
    expect(guest.call('fd_write', fd, -8, 2, result)).toBe(FAULT);
    expect([
      guest.call('fd_tell', fd, -8),
      guest.call('fd_tell', fd, -7),
      guest.call('fd_filestat_get', fd, -63),
      guest.call('fd_filestat_get', fd, -64),
    ]).toEqual([0, FAULT, FAULT, 0]);
    expect([guest.call('poll_oneoff', -47, 0, 1, result), guest.call('poll_oneoff', -48, 64, 2, result), guest.call('args_get', -2, 0)]).toEqual([
      FAULT,
      FAULT,
      FAULT,
    ]);
    expect([
      guest.call('fd_prestat_get', FIRST_PREOPEN, -4),
      guest.call('random_get', -1, 2),
      guest.call('fd_readdir', FIRST_PREOPEN, -10, 11, 0n, result),
    ]).toEqual([FAULT, FAULT, FAULT]);
  });

  test('that fail do so before anything is opened or removed', () => {
    const guest = guestOn();
    expect(guest.call('path_open', FIRST_PREOPEN, 0, ...guest.put('new'), OpenFlag.CREATE, EVERY_RIGHT, 0n, 0, -1)).toBe(FAULT);
    expect(listing(guest, FIRST_PREOPEN, 4096)).toEqual(['.', '..', 'a.txt']);
    expect(guest.call('path_rename', FIRST_PREOPEN, ...guest.put('a.txt'), FIRST_PREOPEN, -1, 4)).toBe(FAULT);
    expect(guest.call('fd_seek', guest.open('a.txt').fd, 5n, 0, -4)).toBe(FAULT);
    expect(guest.read(4, 3).text).toBe('012');
  });
});

describe.each(MOUNT_KINDS)('buffers that overlap, on a %s directory,', (kind) => {
  test('are filled one after the other', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt');
    const [target] = guest.put('~~~~~~~~');
    const [list, result] = [guest.room(24), guest.room(4)];
    [
      [target, 4],
      [target + 2, 4],
      [target, 1],
    ].forEach(([pointer = 0, length = 0], index) => {
      guest.view.setUint32(list + 8 * index, pointer, true);
      guest.view.setUint32(list + 8 * index + 4, length, true);
    });
    expect(guest.call('fd_read', fd, list, 3, result) || guest.view.getUint32(result, true)).toBe(9);
    expect(guest.get(target, 8).toString()).toBe('814567~~');
  });

  test('also with the list that names them: each is looked at once, when its turn comes', () => {
    const guest = guestOn(kind, { hostile: `${'\xff'.repeat(4)}${'\xff'.repeat(4)}` });
    const { fd } = guest.open('hostile');
    const [list, result] = [guest.room(24), guest.room(4)];
    // The first buffer is the second's own place in the list, which comes to point past the end.
    guest.view.setUint32(list, list + 8, true);
    guest.view.setUint32(list + 4, 8, true);
    expect(guest.call('fd_read', fd, list, 2, result)).toBe(0);
    expect(guest.view.getUint32(result, true)).toBe(8);
  });

  test('or that hold the place of the result, end up with the result', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt');
    const [list] = guest.vectors('~~~~~~~~~~');
    const target = guest.view.getUint32(list, true);
    expect(guest.call('fd_pread', fd, list, 1, 0n, target)).toBe(0);
    expect(guest.get(target, 10).toString('latin1')).toBe('\x0a\0\0\x00456789');
    expect(guest.call('fd_pread', fd, list, 1, 0n, list)).toBe(0);
    expect(guest.get(target, 10).toString()).toBe('0123456789');
  });
});

describe('many at once', () => {
  const grownBy = (work: () => void): number => {
    globalThis.gc?.();
    const before = process.memoryUsage();
    work();
    const after = process.memoryUsage();
    return after.heapUsed + after.external - before.heapUsed - before.external;
  };

  test('buffers, subscriptions and bytes of a path are refused, again and again, without the host growing', () => {
    const guest = guestOn();
    guest.memory.grow(16);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const result = guest.room(8);
    const refused = (): number[] => [
      guest.call('fd_read', fd, 65_536, 10_000, result),
      guest.call('fd_write', fd, 65_536, 10_000, result),
      guest.call('fd_pread', fd, 65_536, 10_000, 0n, result),
      guest.call('fd_pwrite', fd, 65_536, 10_000, 0n, result),
      guest.call('poll_oneoff', 65_536, 65_536, 10_000, result),
      guest.call('path_create_directory', FIRST_PREOPEN, 65_536, 110_000),
      guest.call('path_symlink', 65_536, 110_000, FIRST_PREOPEN, 65_536, 1),
    ];
    const grown = grownBy(() => {
      for (let round = 0; round < 1_000; round += 1) expect(refused()).toEqual([28, 28, 28, 28, 28, 37, 37]);
    });
    expect(grown).toBeLessThan(16 * 1024 * 1024);
  });

  test.each(MOUNT_KINDS)('renumberings of files of a %s directory leave as many open as before', (kind) => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt');
    const other = guest.open('a.txt').fd;
    const before = openDescriptors();
    // Moving back and forth, then opening onto the same number.
    for (let round = 0; round < 50_000; round += 1) {
      const third = guest.open('a.txt').fd;
      if (guest.call('fd_renumber', third, other) !== 0 || third !== other + 1) throw new Error(`round ${round}`);
      if (guest.call('fd_renumber', round % 2 === 0 ? other : fd, round % 2 === 0 ? fd : other) !== 0) throw new Error(`round ${round}`);
      const reopened = guest.open('a.txt').fd;
      if (reopened !== (round % 2 === 0 ? other : fd)) throw new Error(`round ${round}: ${reopened}`);
    }
    expect(openDescriptors()).toBe(before);
    expect([guest.read(fd, 1).text, guest.read(other, 1).text, guest.read(other + 1, 1).errno]).toEqual(['0', '0', 8]);
  });

  test('descriptors are given the lowest free number, whatever order they were closed in', () => {
    const guest = new Preview1Guest(makeHost({ mounts: { '/data': memoryDirectory({ a: '' }) } }).host);
    const open = new Set([0, 1, 2, 3]);
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('open' as const), fc.nat({ max: 40 })), { maxLength: 100 }), (steps) => {
        for (const step of steps) {
          if (step === 'open') {
            const lowest = [...Array(open.size + 1).keys()].find((number) => !open.has(number)) ?? 0;
            expect(guest.open('a').fd).toBe(lowest);
            open.add(lowest);
          } else if (step !== FIRST_PREOPEN) {
            expect(guest.call('fd_close', step)).toBe(open.delete(step) ? 0 : 8);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe.each(MOUNT_KINDS)('reading a %s directory', (kind) => {
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`${index}-${'é'.repeat(index)}`, '']));

  test('at any cookie with a buffer of any size writes nothing beyond it, and gives the entries from there', () => {
    const guest = guestOn(kind, files);
    const [buffer, result] = [guest.room(8192), guest.room(4)];
    const read = (length: number, cookie: bigint): Buffer => {
      new Uint8Array(guest.memory.buffer).fill(0x7e, buffer, buffer + 8192);
      expect(guest.call('fd_readdir', FIRST_PREOPEN, buffer, length, cookie, result)).toBe(0);
      const used = guest.view.getUint32(result, true);
      expect(used).toBeLessThanOrEqual(length);
      expect(guest.get(buffer + used, 8192 - used).every((byte) => byte === 0x7e)).toBe(true);
      return guest.get(buffer, used);
    };
    const whole = read(8192, 0n);
    const entries = [0];
    for (let at = 0; at < whole.length; at += 24 + whole.readUInt32LE(at + 16)) entries.push(at + 24 + whole.readUInt32LE(at + 16));
    expect(entries.length).toBe(60 + 2 + 1);
    const cookie = fc.oneof(fc.bigInt({ min: 0n, max: 64n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    fc.assert(
      fc.property(fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 8192 })), cookie, (length, from) => {
        const start = entries[Number(from < 62n ? from : 62n)] ?? 0;
        expect(read(length, from)).toEqual(whole.subarray(start, start + length));
      }),
    );
  });

  test('that changes meanwhile comes to an end, and shows the change from the beginning', () => {
    const guest = guestOn(kind, files);
    const { fd } = guest.open('.', { flags: OpenFlag.DIRECTORY });
    const [buffer, result] = [guest.room(400), guest.room(4)];
    let cookie = 0n;
    for (let round = 0; round < 200; round += 1) {
      expect(guest.call('fd_readdir', fd, buffer, 400, cookie, result)).toBe(0);
      const used = guest.view.getUint32(result, true);
      if (used < 24) break;
      cookie = guest.view.getBigUint64(buffer, true);
      // One more and one fewer with every step.
      expect(guest.open(`new-${round}`, { flags: OpenFlag.CREATE, rights: EVERY_RIGHT }).errno).toBe(0);
      if (round < 60) expect(guest.call('path_unlink_file', FIRST_PREOPEN, ...guest.put(Object.keys(files)[round] ?? ''))).toBe(0);
    }
    expect(cookie).toBe(62n);
    expect(listing(guest, fd, 4096).length).toBe(2 + 62);
  });
});
