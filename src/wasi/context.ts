// What every part of one guest's WASI host shares: the policy, the live mask of grants, the counters of what the host holds for the guest, and what is
// open on its behalf. Made once per guest; nothing here outlives it.
import { Cap } from '../capabilities.ts';
import { GloveportError, limitExceeded } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { GuestControl } from '../metering/control.ts';

/** Something that the host holds open for the guest. `close` may be called more than once. */
export interface Closable {
  close(): void;
}

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

export class WasiContext {
  readonly limits: Limits;
  readonly control: GuestControl;
  #grants: number;
  #handles = 0;
  #heldBytes = 0;
  #stores: readonly Metered[] = [];
  // With the number of handles that each counts for.
  readonly #open = new Map<Closable, number>();

  constructor(grants: number, limits: Limits, control: GuestControl) {
    this.#grants = grants;
    this.limits = limits;
    this.control = control;
  }

  /** Whether at least one flag of `mask` is granted at this moment. */
  allows(mask: number): boolean {
    return (this.#grants & mask) !== 0;
  }

  revoke(mask: number): void {
    this.#grants &= ~mask;
  }

  /**
   * Counts one more handle (descriptor, stream, pollable, error) and remembers `closable` for {@link closeAll}. Stops the guest with HANDLES_EXCEEDED
   * at the limit, so that who opens something calls {@link checkHandles} first.
   */
  hold(closable: Closable): void {
    this.checkHandles();
    this.#handles += 1;
    this.#open.set(closable, 1);
  }

  /** Remembers what the host itself opens for the guest, which is no handle of the guest's making. */
  keep(closable: Closable): void {
    this.#open.set(closable, 0);
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

  closeAll(): void {
    for (const closable of [...this.#open.keys()]) closable.close();
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

  /** Gives back what {@link keepBytes} counted. */
  giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
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
