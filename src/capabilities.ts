// The capability flags, whose numbers are fixed, and their arithmetic. What a flag opens is decided in `wasi/imports.ts`.
import { GloveportError, describeValue } from './errors.ts';

/** The capability flags. Numbers are part of the contract and never change; combine them with `|`. */
export const Cap = Object.freeze({
  NONE: 0,
  CONSOLE: 1,
  TIME: 2,
  RANDOM: 4,
  FS_READ: 8,
  FS_WRITE: 16,
  NETWORK: 32,
  ENV: 64,
  PROCESS: 128,
  THREADING: 256,
  GPU: 512,
});

/** Names of the flags as they are written in options and on the command line: lower case, words joined by hyphens. */
export type CapabilityName = 'console' | 'time' | 'random' | 'fs-read' | 'fs-write' | 'network' | 'env' | 'process' | 'threading' | 'gpu';

const FLAG_OF: Readonly<Record<CapabilityName, number>> = Object.freeze({
  console: Cap.CONSOLE,
  time: Cap.TIME,
  random: Cap.RANDOM,
  'fs-read': Cap.FS_READ,
  'fs-write': Cap.FS_WRITE,
  network: Cap.NETWORK,
  env: Cap.ENV,
  process: Cap.PROCESS,
  threading: Cap.THREADING,
  gpu: Cap.GPU,
});

/** Every flag together. */
export const allCapabilities = Object.values(FLAG_OF).reduce((mask, flag) => mask | flag, 0);
const DANGEROUS = Cap.FS_WRITE | Cap.NETWORK | Cap.PROCESS | Cap.ENV;

/** Whether `mask` holds every flag of `capability`. @throws GloveportError INVALID_OPTION for an unknown bit. */
export function hasCapability(mask: number, capability: number): boolean {
  return (checkMask(mask) & checkMask(capability)) === capability;
}

/** `mask` with the flags of `capability` added. @throws GloveportError INVALID_OPTION for an unknown bit. */
export function addCapability(mask: number, capability: number): number {
  return checkMask(mask) | checkMask(capability);
}

/** `mask` without the flags of `capability`. @throws GloveportError INVALID_OPTION for an unknown bit. */
export function removeCapability(mask: number, capability: number): number {
  return checkMask(mask) & ~checkMask(capability);
}

/** Whether `mask` holds one of FS_WRITE, NETWORK, PROCESS, ENV: rights that change or reveal what is outside the sandbox. */
export function hasDangerousCapabilities(mask: number): boolean {
  return (checkMask(mask) & DANGEROUS) !== 0;
}

/** The names of the flags in `mask`, in the order of their numbers. @throws GloveportError INVALID_OPTION for an unknown bit. */
export function capabilityNames(mask: number): CapabilityName[] {
  checkMask(mask);
  return (Object.keys(FLAG_OF) as CapabilityName[]).filter((name) => (mask & FLAG_OF[name]) !== 0);
}

/**
 * A mask from a number or from names. Names are matched without regard to case, `_` counts as `-`, and a leading `CAP_` is dropped, so `'fs-read'`,
 * `'FS_READ'` and `'CAP_FS_READ'` are one. A string may hold several names separated by commas; `'none'` and the empty string are no capability.
 * @throws GloveportError INVALID_OPTION for an unknown bit or name: nothing is ever ignored.
 */
export function parseCapabilities(input: number | string | readonly string[]): number {
  if (typeof input === 'number') return checkMask(input);
  const names = typeof input === 'string' ? input.split(',') : input;
  if (!Array.isArray(names)) throw new GloveportError('INVALID_OPTION', `capabilities are a number or names, not ${describeValue(input)}`, { option: 'grant' });
  return names.reduce((mask, name) => mask | flagOf(name), 0);
}

function flagOf(name: unknown): number {
  if (typeof name !== 'string') throw new GloveportError('INVALID_OPTION', `a capability name is a string, not ${describeValue(name)}`, { option: 'grant' });
  const key = name.trim().toLowerCase().replaceAll('_', '-').replace(/^cap-/, '');
  if (key === '' || key === 'none') return Cap.NONE;
  if (!Object.hasOwn(FLAG_OF, key)) {
    throw new GloveportError('INVALID_OPTION', `unknown capability ${describeValue(name)}; known are: none, ${Object.keys(FLAG_OF).join(', ')}`, {
      option: 'grant',
      value: name,
    });
  }
  return FLAG_OF[key as CapabilityName];
}

function checkMask(mask: number): number {
  if (!Number.isInteger(mask) || mask < 0 || (mask & ~allCapabilities) !== 0 || mask > allCapabilities) {
    throw new GloveportError('INVALID_OPTION', `${describeValue(mask)} is not a set of capability flags; the highest is ${allCapabilities} (all of them)`, {
      option: 'grant',
      value: mask,
    });
  }
  return mask;
}
