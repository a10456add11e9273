// That what a guest's WASI host gives has the types of preview2-shim's interfaces, which jco makes from WIT. Only the compiler reads this file.
import type { WasiHost } from '../../src/wasi/host.ts';

type Ours = ReturnType<WasiHost['component']>;

/** preview2-shim's declarations of the interfaces that guests import. */
interface Shim {
  'wasi:cli/environment': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-environment');
  'wasi:cli/exit': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-exit');
  'wasi:cli/stderr': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-stderr');
  'wasi:cli/stdin': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-stdin');
  'wasi:cli/stdout': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-stdout');
  'wasi:cli/terminal-input': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-terminal-input');
  'wasi:cli/terminal-output': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-terminal-output');
  'wasi:cli/terminal-stderr': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-terminal-stderr');
  'wasi:cli/terminal-stdin': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-terminal-stdin');
  'wasi:cli/terminal-stdout': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-cli-terminal-stdout');
  'wasi:clocks/monotonic-clock': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-clocks-monotonic-clock');
  'wasi:clocks/wall-clock': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-clocks-wall-clock');
  'wasi:filesystem/preopens': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-preopens');
  'wasi:filesystem/types': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types');
  'wasi:http/outgoing-handler': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-http-outgoing-handler');
  'wasi:http/types': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-http-types');
  'wasi:io/error': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-io-error');
  'wasi:io/poll': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-io-poll');
  'wasi:io/streams': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-io-streams');
  'wasi:random/insecure': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-random-insecure');
  'wasi:random/insecure-seed': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-random-insecure-seed');
  'wasi:random/random': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-random-random');
  'wasi:sockets/instance-network': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-instance-network');
  'wasi:sockets/ip-name-lookup': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-ip-name-lookup');
  'wasi:sockets/network': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network');
  'wasi:sockets/tcp': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-tcp');
  'wasi:sockets/tcp-create-socket': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-tcp-create-socket');
  'wasi:sockets/udp': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-udp');
  'wasi:sockets/udp-create-socket': typeof import('@bytecodealliance/preview2-shim/interfaces/wasi-sockets-udp-create-socket');
}

/**
 * An interface as its user sees it: functions, and of each resource what its instances have, its static functions and, where it can be called, its
 * constructor. Functions become methods, whose parameters TypeScript compares in both directions: the host may ask for a resource of its own class, which is
 * all that its guest ever has.
 */
type Used<Interface> = {
  [Name in keyof Interface]: Interface[Name] extends (...args: infer Parameters) => infer Result
    ? { call(...args: Writable<Parameters>): Result }['call']
    : Interface[Name] extends { readonly prototype: infer Instance }
      ? { instance: Instance; statics: Used<Omit<Interface[Name], 'prototype'>>; create: Constructor<Interface[Name]> }
      : never;
};
// The host promises to leave lists as they are, and jco does not ask for it.
type Writable<Parameters> = { [Index in keyof Parameters]: Parameters[Index] extends readonly (infer Item)[] ? Item[] : Parameters[Index] };
// What preview2-shim cannot construct, since WIT has no constructor for it, the host constructs as it likes.
type Constructor<Class> = Class extends new (...args: infer Parameters) => unknown ? { call(...args: Parameters): void }['call'] : unknown;

declare const ours: { [Name in keyof Ours]: Used<Ours[Name]> };
export const shims: { [Name in keyof Shim]: Used<Shim[Name]> } = ours;

// Each of these is a difference that must be seen.
type Without<Interface, Name extends PropertyKey> = Omit<Interface, Name>;
declare const altered: {
  missing: Used<Without<Ours['wasi:clocks/wall-clock'], 'now'>>;
  result: Used<Without<Ours['wasi:clocks/wall-clock'], 'now'> & { now(): bigint }>;
  parameter: Used<Without<Ours['wasi:clocks/monotonic-clock'], 'subscribeDuration'> & { subscribeDuration(when: number): never }>;
  method: Used<{ Pollable: { prototype: { ready(): number; block(): void } }; poll: Ours['wasi:io/poll']['poll'] }>;
};
// @ts-expect-error a function less
export const missing: Used<Shim['wasi:clocks/wall-clock']> = altered.missing;
// @ts-expect-error another result
export const result: Used<Shim['wasi:clocks/wall-clock']> = altered.result;
// @ts-expect-error another parameter
export const parameter: Used<Shim['wasi:clocks/monotonic-clock']> = altered.parameter;
// @ts-expect-error another method of a resource
export const method: Used<Shim['wasi:io/poll']> = altered.method;
