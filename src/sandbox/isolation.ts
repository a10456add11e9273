// What a place where guests run has to offer. The Guest that users hold knows only this; where the code really runs is behind it.
import type { Program } from '../component/program.ts';
import type { GloveportError } from '../errors.ts';
import type { Usage as MeterUsage } from '../metering/meter.ts';
import type { Profile } from '../metering/profile.ts';
import type { Respond, ServedRequest } from '../wasi/http/serving.ts';
import type { Policy } from './options.ts';
import type { ResourceClasses } from './resources.ts';

/** What a guest has used since it was loaded. */
export interface Usage extends MeterUsage {
  /** Bytes written to standard output and standard error together. */
  readonly outputBytes: number;
}

/** One guest where it runs. Calls do not overlap; what stops it once stops it for good. */
export interface Isolate {
  /** What stopped the guest, if anything did. */
  readonly stopped: GloveportError | undefined;
  readonly running: boolean;
  readonly usage: Usage;
  /** @throws GloveportError INVALID_STATE unless its program was compiled for a profile. */
  profile(): Profile;
  /** The classes of exported resources. */
  readonly classes: ResourceClasses;
  /** What was captured so far. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /**
   * Calls the function with this canonical name.
   * @throws GloveportError FUNCTION_NOT_FOUND, INVALID_ARGUMENT (both leave the guest as it was), or what stopped it; ComponentError for its own `err`.
   */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
  /** The same without waiting; absent where the guest runs on another thread. */
  callSync?(name: string, args: readonly unknown[]): unknown;
  /**
   * Calls `wasi:http/incoming-handler#handle`, which answers through `respond` at most once. Absent where the guest is not on this thread.
   * @throws GloveportError as {@link call}.
   */
  handle?(request: ServedRequest, respond: Respond): Promise<void>;
  /**
   * Waits until the output of a call that has ended is with who takes it.
   * @param startedAt when the call began, by `performance.now()`.
   * @throws GloveportError DEADLINE_EXCEEDED at the deadline of that call, or what the guest was aborted with.
   */
  delivered(startedAt: number): Promise<void>;
  revoke(capabilities: number): void;
  abort(reason: GloveportError): void;
  /** Lets go of everything that the guest holds. May be called in the middle of a call, which then fails. */
  dispose(): void;
}

/** Starts a guest of `program` under `policy`: links it and runs its start function. */
export type StartIsolate = (program: Program, policy: Policy) => Promise<Isolate>;
