// What every part of one guest's WASI host shares: the policy, the live mask of grants, the counters of what the host holds for the guest, and what is
// open on its behalf. Made once per guest; nothing here outlives it.
import { isPromise } from '../component/thrown.ts';
import { Cap, capabilityNames } from '../capabilities.ts';
import { GloveportError, limitExceeded } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { GuestControl } from '../metering/control.ts';
import { isReady, type Waitable } from './waiting.ts';

/** Something that the host holds open for the guest. `close` may be called more than once. */
export interface Closable {
  close(): void;
}

/** One use of a capability, or an attempt at one. */
export interface Access {
  /** The capability's name, such as `fs-read`. */
  readonly capability: string;
  /** The group of WASI's interfaces and WASI's own word for what was done: `filesystem.open`, `sockets.tcp-connect`, `clocks.now`. */
  readonly operation: string;
  /** Whether it was permitted. What is permitted can still fail. */
  readonly allowed: boolean;
  /** What it was done to: a path, an address, a number of bytes. Names are the guest's own words. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Is told of every use; what it throws ends the call with HOST_FUNCTION_FAILED. */
export type AccessObserver = (access: Access) => unknown;

/** A store whose guest-made content counts against `hostBytes` as long as it exists, whoever of its guests wrote it. */
export interface Metered {
  readonly grownBytes: number;
}

/** Fuel for one small thing that the host goes over for the guest. */
export const ENTRY_UNITS = 1_000;
/** Fuel for one call of a file system. */
export const CALL_UNITS = 2_000;
/** Fuel for waiting for a disk. */
export const SYNC_UNITS = 200_000;

/** Bytes of {@link WasiContext.scratch}. A longer read is answered in part, which costs less than room for all of it. */
export const SCRATCH_BYTES = 65_536;

/** Looks in vain, see {@link WasiContext.lookedInVain}, between two turns of the event loop. */
const VAIN_LOOKS = 16;

export class WasiContext {
  readonly limits: Limits;
  readonly control: GuestControl;
  #grants: number;
  #handles = 0;
  #closed = false;
  #heldBytes = 0;
  #vainLooks = 0;
  #scratch: Uint8Array | undefined;
  #stores: readonly Metered[] = [];
  // With the number of handles that each counts for.
  readonly #open = new Map<Closable, number>();
  readonly #observer: AccessObserver | undefined;
  readonly #revocations = new Set<{ readonly mask: number; readonly close: () => void }>();

  constructor(grants: number, limits: Limits, control: GuestControl, observer?: AccessObserver) {
    this.#grants = grants;
    this.limits = limits;
    this.control = control;
    this.#observer = observer;
  }

  /** Whether at least one flag of `mask` is granted at this moment. */
  allows(mask: number): boolean {
    return (this.#grants & mask) !== 0;
  }

  /** Takes flags back, and closes what {@link onRevoke} was told of. */
  revoke(mask: number): void {
    const taken = this.#grants & mask;
    this.#grants &= ~mask;
    for (const revocation of [...this.#revocations]) if ((revocation.mask & taken) !== 0) closeQuietly(revocation);
  }

  /** Has `close` called when a flag of `mask` is taken back. Gives what takes that wish back. */
  onRevoke(mask: number, close: () => void): () => void {
    const revocation = { mask, close };
    this.#revocations.add(revocation);
    return () => this.#revocations.delete(revocation);
  }

  /**
   * The guest looked for something that only the event loop can bring, and it was not there. One that looks again and again instead of waiting is put aside for
   * a turn of the loop now and then, or it would never come.
   * @returns as {@link waitForAny}.
   */
  lookedInVain(): boolean {
    this.#vainLooks += 1;
    if (this.#vainLooks < VAIN_LOOKS) return true;
    this.#vainLooks = 0;
    return this.control.wait(0);
  }

  /** Whether anybody wants to know of uses: what {@link report} is told need not be put together otherwise. */
  get observed(): boolean {
    return this.#observer !== undefined;
  }

  /** Tells the observer that the guest uses `capability`, a single flag, or tries to. Called in the middle of a call of the guest's, which a failing observer ends. */
  report(capability: number, operation: string, allowed: boolean, detail: Readonly<Record<string, unknown>> = {}): void {
    const observer = this.#observer;
    if (observer === undefined) return;
    const [name] = capabilityNames(capability);
    let result: unknown;
    try {
      result = observer({ capability: name as string, operation, allowed, detail });
    } catch (cause) {
      this.control.stop(new GloveportError('HOST_FUNCTION_FAILED', 'the function that observes accesses threw', {}, { cause }));
    }
    if (isPromise(result)) {
      this.control.stop(new GloveportError('HOST_FUNCTION_FAILED', 'the function that observes accesses must not give a Promise: the guest does not wait'));
    }
    // Ends a guest that the observer has just stopped, before it does what was observed.
    this.control.charge(0);
  }

  /**
   * Lets the guest wait until one of `waitables` is ready. With none that ever will be, that is the deadline.
   * @returns false when the guest is going to be suspended and makes its call again: see {@link GuestControl.wait}.
   */
  waitForAny(waitables: readonly Waitable[]): boolean {
    // A guest may name one thing thousands of times, each of which would be told of a change and look at all the others.
    const distinct = [...new Set(waitables)];
    for (;;) {
      const remaining = distinct.reduce((least, waitable) => Math.min(least, waitable.remainingMs()), Infinity);
      if (remaining <= 0) return distinct.every((waitable) => waitable.onChange === undefined || isReady(waitable)) || this.lookedInVain();
      const passing = distinct.find((waitable) => waitable.pass !== undefined && waitable.remainingMs() <= remaining);
      if (passing?.pass !== undefined) {
        passing.pass();
        continue;
      }
      const changing = distinct.filter(({ onChange }) => onChange !== undefined);
      const subscribe = (wake: () => void) => {
        const unsubscribes = changing.map((waitable) =>
          waitable.onChange?.(() => {
            if (isReady(waitable)) wake();
          }),
        );
        return () => {
          for (const unsubscribe of unsubscribes) unsubscribe?.();
        };
      };
      if (!this.control.wait(remaining, changing.length > 0 ? subscribe : undefined)) return false;
    }
  }

  /**
   * Counts one more handle (descriptor, stream, pollable, error) and remembers `closable` for {@link closeAll}. Stops the guest with HANDLES_EXCEEDED
   * at the limit, so that who opens something calls {@link checkHandles} first.
   */
  hold(closable: Closable): void {
    this.checkHandles();
    this.#remember(closable, 1);
  }

  /** Remembers what the host itself opens for the guest, which is no handle of the guest's making. */
  keep(closable: Closable): void {
    this.#remember(closable, 0);
  }

  // What comes after the end is closed as soon as whoever makes it has done so.
  #remember(closable: Closable, handles: number): void {
    this.#handles += handles;
    this.#open.set(closable, handles);
    if (this.#closed) queueMicrotask(() => closeQuietly(closable));
  }

  checkHandles(): void {
    if (this.#handles < this.limits.handles) return;
    const { handles } = this.limits;
    this.control.stop(limitExceeded('HANDLES_EXCEEDED', `the guest holds ${handles} handles; raise limits.handles if it needs more`, 'handles', handles));
  }

  /** Forgets `closable` and gives back what it counted; a second time is ignored. */
  letGo(closable: Closable): void {
    this.#handles -= this.#open.get(closable) ?? 0;
    this.#open.delete(closable);
  }

  /** Ends the guest's host: nothing is granted any more, and nothing stays open. */
  closeAll(): void {
    this.#grants = 0;
    this.#closed = true;
    for (const closable of [...this.#open.keys()]) closeQuietly(closable);
  }

  /** Names the stores whose growth counts for this guest. */
  meter(stores: Iterable<Metered>): void {
    this.#stores = [...stores];
  }

  /** Bytes that the host may still take up for this guest. */
  hostBytesLeft(): number {
    return this.#stores.reduce((left, store) => left - store.grownBytes, this.limits.hostBytes - this.#heldBytes);
  }

  /** Counts `bytes` of a buffer that the host keeps for the guest, or gives false when they are too many, or no number of bytes. */
  keepBytes(bytes: number): boolean {
    if (!(bytes >= 0 && bytes <= Math.max(0, this.hostBytesLeft()))) return false;
    this.#heldBytes += bytes;
    return true;
  }

  /** The same where WASI has no error for it: stops the guest with MEMORY_EXCEEDED. */
  keepBytesOrStop(bytes: number): void {
    if (this.keepBytes(bytes)) return;
    const { hostBytes } = this.limits;
    const message = `the host would hold more than ${hostBytes} bytes for the guest; raise limits.hostBytes if it needs more`;
    this.control.stop(limitExceeded('MEMORY_EXCEEDED', message, 'hostBytes', hostBytes));
  }

  /** Gives back what {@link keepBytes} counted. */
  giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /**
   * Room for bytes that a host function gives to its guest, who has copied them before its next call. Nothing of it is given out that was not written anew.
   */
  get scratch(): Uint8Array {
    this.#scratch ??= new Uint8Array(SCRATCH_BYTES);
    return this.#scratch;
  }

  /** Charges for going over `count` small things: subscriptions, variables, buffers. */
  chargeEntries(count: number): void {
    this.control.charge(count * ENTRY_UNITS);
  }

  /** Charges for `calls` of the host's file system, or of what stands for it in memory: about a microsecond each. */
  chargeCalls(calls: number): void {
    this.control.charge(calls * CALL_UNITS);
  }

  /** Charges for forcing what was written to the host's disk: a call that waits for a device. */
  chargeSync(): void {
    this.control.charge(SYNC_UNITS);
  }

  /** Charges for `bytes` that the host moved or looked at: one unit for eight, like the guest's own memory operations. */
  chargeBytes(bytes: number): void {
    this.control.charge(Math.ceil(bytes / 8));
  }

  /** Ends the guest at its own wish, with code 0 as well. */
  exit(exitCode: number): never {
    this.control.stop(new GloveportError('GUEST_EXITED', `the guest exited with code ${exitCode}`, { exitCode }));
  }

  /** Stops the guest because it used what it was not given, where WASI has no error to say so. */
  deny(operation: string, capability: keyof typeof Cap): never {
    this.control.stop(
      new GloveportError('CAPABILITY_DENIED', `the guest called ${operation}, which can only work or end the guest: grant Cap.${capability}`, {
        operation,
        capability: Cap[capability],
      }),
    );
  }
}

/** Closes what nobody would hear a failure of: it is gone all the same, and must not keep the others open. */
export function closeQuietly(closable: Closable): void {
  try {
    closable.close();
  } catch {}
}
