// The WASI host of one guest: takes the policy apart, opens the mounts, and gives out the imports in both versions of WASI. Which of them a guest gets, and
// the wrapping of each call, is `imports.ts`.
import type { Limits } from '../limits.ts';
import type { GuestControl } from '../metering/control.ts';
import { type ClockPolicy, Clocks } from './clocks.ts';
import { cliInterfaces } from './component/cli.ts';
import { clockInterfaces, randomInterfaces } from './component/clocks-random.ts';
import { filesystemInterfaces } from './component/filesystem.ts';
import { httpInterfaces, type IncomingCall, incomingCall } from './component/http.ts';
import { ioInterfaces } from './component/io.ts';
import { interfaceOf } from './component/resource.ts';
import { socketInterfaces } from './component/sockets.ts';
import { Console, type ConsolePolicy } from './console.ts';
import { type AccessObserver, WasiContext } from './context.ts';
import { type CommandLine, Environment } from './environment.ts';
import type { Mount } from './filesystem/mount.ts';
import { type MountPoint, openMounts } from './filesystem/mount-point.ts';
import { HttpClient } from './http/client.ts';
import type { Respond, ServedRequest } from './http/serving.ts';
import { Network } from './network/network.ts';
import type { NetworkPolicy } from './network/policy.ts';
import { type Preview1Functions, preview1Functions } from './preview1/functions.ts';
import { Random } from './random.ts';
import type { Waitable } from './waiting.ts';
import type { EngineMemory } from '../wasm/engine.ts';

/** What one guest may touch. */
export interface WasiPolicy extends CommandLine, ConsolePolicy {
  /** Capability flags; what they open is in `requirements.ts`. */
  readonly grants: number;
  /** Default: the system's clocks, and UTC. */
  readonly clock?: ClockPolicy | undefined;
  /** Makes all random numbers the sequence that belongs to the seed. Default: the system's. */
  readonly random?: { readonly seed: string } | undefined;
  /**
   * Mounts by absolute guest path; each is a preopen, in this order. One mount below another is found by the guest's library, which takes the longest
   * path that fits: through the outer one, what it really holds at that place is seen.
   */
  readonly mounts: Readonly<Record<string, Mount>>;
  /**
   * Absolute guest paths, or patterns of them (see {@link DeniedPaths}), that are denied with all below them, whatever is mounted. They name paths, not
   * files: a second mount of the same directory has its own.
   */
  readonly denyPaths: readonly string[];
  /** What may be reached, and listened on, with NETWORK. */
  readonly network: NetworkPolicy;
  /** `handles`, `outputBytes` and `hostBytes` are enforced here. */
  readonly limits: Limits;
  /** Is told of every use of a capability. */
  readonly onAccess?: AccessObserver | undefined;
}

export class WasiHost {
  readonly #context: WasiContext;
  readonly #environment: Environment;
  readonly #console: Console;
  readonly #clocks: Clocks;
  readonly #random: Random;
  readonly #network: Network;
  readonly #points: readonly MountPoint[];

  /**
   * Takes over what the streams of `policy` are connected to, also when it throws.
   * @throws GloveportError INVALID_OPTION for a path that is not absolute and plain, FILE_NOT_FOUND or IO_FAILED for a host directory that is gone,
   * MEMORY_EXCEEDED when `hostBytes` has no room for buffers of output.
   */
  constructor(policy: WasiPolicy, control: GuestControl) {
    const context = new WasiContext(policy.grants, policy.limits, control, policy.onAccess);
    this.#context = context;
    try {
      this.#console = new Console(context, policy);
      this.#environment = new Environment(context, policy);
      this.#clocks = new Clocks(context, policy.clock);
      this.#random = new Random(context, policy.random?.seed);
      this.#network = new Network(context, policy.network);
      this.#points = openMounts(context, policy.mounts, policy.denyPaths);
    } catch (error) {
      context.closeAll();
      throw error;
    }
  }

  /** Bytes printed to standard output and error so far. */
  get outputBytes(): number {
    return this.#console.outputBytes;
  }

  /** What to wait for until all of that is with its consumers. */
  get delivered(): readonly Waitable[] {
    return this.#console.delivered;
  }

  /** The interfaces of WASI 0.2 by name without version, in jco's calling conventions, without a prototype. */
  component() {
    return interfaceOf({
      ...cliInterfaces(this.#context, this.#console, this.#environment),
      ...clockInterfaces(this.#context, this.#clocks),
      ...filesystemInterfaces(this.#context, this.#points),
      ...httpInterfaces(this.#context, new HttpClient(this.#context, this.#network)),
      ...ioInterfaces(this.#context),
      ...randomInterfaces(this.#random),
      ...socketInterfaces(this.#context, this.#network),
    });
  }

  /** A call of the guest's `wasi:http/incoming-handler`, made and closed within one of the meter's. `respond` takes the guest's answer. */
  incoming(request: ServedRequest, respond: Respond): IncomingCall {
    return incomingCall(this.#context, request, respond);
  }

  /**
   * The functions of preview 1 for one core module with descriptors of its own, by the name of the import module; undefined for other names. `memory` is
   * asked at every call; as long as it gives none, every pointer is EFAULT.
   */
  preview1(memory: () => EngineMemory | undefined): (module: string) => Preview1Functions | undefined {
    const environment = {
      context: this.#context,
      console: this.#console,
      environment: this.#environment,
      clocks: this.#clocks,
      random: this.#random,
      points: this.#points,
    };
    return preview1Functions(environment, memory);
  }

  /** Takes back the capabilities of `mask`, also from what is open. */
  revoke(mask: number): void {
    this.#context.revoke(mask);
  }

  /** Closes everything that is open on the host for this guest, and grants nothing any more. */
  dispose(): void {
    this.#context.closeAll();
  }
}
