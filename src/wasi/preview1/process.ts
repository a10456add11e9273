// Everything of preview 1 that is not about files: arguments, environment, clocks, random numbers, waiting, the end, and sockets, of which
// there are none.
import { GloveportError } from '../../errors.ts';
import type { Clocks } from '../clocks.ts';
import { MONOTONIC_RESOLUTION_NS, WALL_RESOLUTION_NS } from '../clocks.ts';
import type { Console } from '../console.ts';
import type { WasiContext } from '../context.ts';
import type { Environment } from '../environment.ts';
import { fail } from '../filesystem/errors.ts';
import type { Random } from '../random.ts';
import { isReady, READY, type Waitable } from '../waiting.ts';
import type { DescriptorTable } from './descriptors.ts';
import { Errno, errnoOf, raise } from './errno.ts';
import type { Layout } from './layouts.ts';
import { type GuestMemory, unsigned } from './memory.ts';
import { EVENT_BYTES, eventRecord, type PollEvent } from './records.ts';
import { Right } from './rights.ts';

/** Subscriptions of one `poll_oneoff`. */
export const MAX_SUBSCRIPTIONS = 1024;

/** What the functions work on. */
export interface ProcessEnvironment {
  readonly layout: Layout;
  readonly context: WasiContext;
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
  readonly console: Console;
  readonly environment: Environment;
  readonly clocks: Clocks;
  readonly random: Random;
}

/** Each function throws its error; `functions.ts` makes an errno of it. */
export function processFunctions({ layout, context, memory, table, console, clocks, random, environment }: ProcessEnvironment) {
  // When a poll began that the guest was suspended in: it is made again, and its timeouts are relative.
  let suspendedAt: bigint | undefined;

  return {
    args_get(pointers: number, buffer: number): void {
      setStrings(environment.arguments(), pointers, buffer);
    },

    args_sizes_get(count: number, size: number): void {
      setSizes(environment.arguments(), count, size);
    },

    environ_get(pointers: number, buffer: number): void {
      setStrings(variables(), pointers, buffer);
    },

    environ_sizes_get(count: number, size: number): void {
      setSizes(variables(), count, size);
    },

    clock_res_get(clock: number, result: number): void {
      memory.setU64(result, isWall(clock) ? WALL_RESOLUTION_NS : MONOTONIC_RESOLUTION_NS);
    },

    clock_time_get(clock: number, _precision: bigint, result: number): void {
      memory.setU64(result, isWall(clock) ? clocks.wall() : clocks.monotonic());
    },

    random_get(buffer: number, length: number): void {
      if (!random.fillSecure(memory.bytes(buffer, length))) fail('not-permitted');
    },

    poll_oneoff(subscriptions: number, events: number, count: number, result: number): void {
      const length = count >>> 0;
      if (length === 0 || length > MAX_SUBSCRIPTIONS) fail('invalid');
      memory.bytes(subscriptions, length * layout.subscriptionBytes);
      memory.bytes(events, length * EVENT_BYTES);
      context.chargeEntries(length);
      const repeated = suspendedAt !== undefined;
      const start = suspendedAt ?? clocks.start();
      suspendedAt = undefined;
      const subscribed = Array.from({ length }, (_, index) => subscriptionAt(unsigned(subscriptions) + index * layout.subscriptionBytes, start, repeated));
      if (!context.waitForAny(subscribed.map(({ waitable }) => waitable))) {
        suspendedAt = start;
        return;
      }
      const ready = subscribed.filter(({ waitable }) => isReady(waitable));
      ready.forEach(({ event }, index) => {
        memory.set(unsigned(events) + index * EVENT_BYTES, eventRecord(event()));
      });
      memory.setU32(result, ready.length);
    },

    proc_exit(code: number): void {
      context.exit(code >>> 0);
    },

    // Nobody else is there to handle a signal: one that ends a program ends the guest, with the exit code that a shell gives it.
    proc_raise(signal: number): void {
      const name = SIGNALS[signal] ?? fail('invalid');
      if (name === 'none' || IGNORED_SIGNALS.has(name)) return;
      // It could never go on.
      if (STOPPING_SIGNALS.has(name)) fail('unsupported');
      const exitCode = 128 + signal;
      context.control.stop(new GloveportError('GUEST_EXITED', `the guest ended itself with the signal ${name}`, { exitCode, signal: name }));
    },

    // Other threads do not exist.
    sched_yield(): void {},

    sock_accept: noSocket,
    sock_recv: noSocket,
    sock_send: noSocket,
    sock_shutdown: noSocket,
  };

  function variables(): string[] {
    return environment.variables().map(([name, value]) => `${name}=${value}`);
  }

  function noSocket(fd: number): void {
    table.get(fd, 0);
    raise(Errno.NOTSOCK);
  }

  function setStrings(strings: readonly string[], pointers: number, buffer: number): void {
    let next = unsigned(buffer);
    strings.forEach((text, index) => {
      const bytes = Buffer.from(`${text}\0`);
      memory.setU32(unsigned(pointers) + 4 * index, next);
      memory.set(next, bytes);
      next += bytes.length;
    });
  }

  function setSizes(strings: readonly string[], count: number, size: number): void {
    memory.setU32(count, strings.length);
    memory.setU32(
      size,
      strings.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0),
    );
  }

  // What has happened is looked at when the wait is over.
  function subscriptionAt(pointer: number, start: bigint, repeated: boolean): { readonly waitable: Waitable; readonly event: () => PollEvent } {
    const userdata = memory.u64(pointer);
    const type = memory.u8(pointer + 8);
    const quiet = { userdata, errno: Errno.SUCCESS, type, available: 0n, hangup: false };
    if (type !== EventType.CLOCK && type !== EventType.FD_READ && type !== EventType.FD_WRITE) fail('invalid');
    let waitable = READY;
    let event = (): PollEvent => quiet;
    const errno = errnoOf(() => {
      if (type === EventType.CLOCK) {
        const clock = pointer + layout.clockOffset;
        waitable = timeout(memory.u32(clock), memory.u64(clock + 8), (memory.u16(clock + 24) & ABSOLUTE) !== 0, start, repeated);
        return;
      }
      const descriptor = table.get(memory.u32(pointer + 16), Right.POLL_FD_READWRITE | (type === EventType.FD_READ ? Right.FD_READ : Right.FD_WRITE));
      if (descriptor.kind === 'stdin' || descriptor.kind === 'stdout' || descriptor.kind === 'stderr') waitable = console[descriptor.kind].ready;
      if (type === EventType.FD_WRITE) return;
      if (descriptor.kind === 'stdin') {
        const { stdin } = console;
        event = () => ({ ...quiet, available: BigInt(stdin.available), hangup: stdin.ended && stdin.available === 0 });
      }
      if (descriptor.kind === 'file') {
        const left = descriptor.file.end() - descriptor.position;
        event = () => ({ ...quiet, available: left < 0n ? 0n : left });
      }
    });
    return { waitable, event: () => ({ ...event(), errno }) };
  }

  function timeout(clock: number, time: bigint, absolute: boolean, start: bigint, repeated: boolean): Waitable {
    const wall = isWall(clock);
    if (!absolute) return clocks.at(start + time, repeated);
    return wall ? clocks.atWall(time, repeated) : clocks.at(time, repeated);
  }
}

// `signal`, by number.
const SIGNALS =
  'none hup int quit ill trap abrt bus fpe kill usr1 segv usr2 pipe alrm term chld cont stop tstp ttin ttou urg xcpu xfsz vtalrm prof winch poll pwr sys'.split(
    ' ',
  );
const IGNORED_SIGNALS: ReadonlySet<string> = new Set(['pipe', 'chld', 'cont', 'urg', 'winch']);
const STOPPING_SIGNALS: ReadonlySet<string> = new Set(['stop', 'tstp', 'ttin', 'ttou']);

const EventType = { CLOCK: 0, FD_READ: 1, FD_WRITE: 2 } as const;
const ABSOLUTE = 1;

const ClockId = { REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME: 2, THREAD_CPUTIME: 3 } as const;

// Time on the processor is not measured: those clocks show the time since the start, like the monotonic one.
function isWall(clock: number): boolean {
  if (clock < ClockId.REALTIME || clock > ClockId.THREAD_CPUTIME) fail('invalid');
  return clock === ClockId.REALTIME;
}
