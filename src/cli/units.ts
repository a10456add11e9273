// Numbers with units, as they are written on a command line.
import { GloveportError } from '../errors.ts';

const BYTES: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };
const MILLISECONDS: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1_000, m: 60_000 };

/** Bytes of `64MiB`, `10MB` or `4096`. @throws GloveportError INVALID_OPTION */
export function bytesOf(option: string, text: string): number {
  return quantity(option, text, BYTES, 'a size such as 64MiB, 10MB or 4096');
}

/** Milliseconds of `5s`, `500ms`, `2m` or `500`. @throws GloveportError INVALID_OPTION */
export function millisecondsOf(option: string, text: string): number {
  return quantity(option, text, MILLISECONDS, 'a time such as 5s, 500ms or 2m');
}

/** A whole number such as `1000000` or `5e9`. @throws GloveportError INVALID_OPTION */
export function unitsOf(option: string, text: string): number {
  return quantity(option, text, { '': 1 }, 'a number such as 1000000 or 5e9');
}

function quantity(option: string, text: string, units: Readonly<Record<string, number>>, expected: string): number {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match?.[2]?.toLowerCase() ?? '';
  if (match === null || !Object.hasOwn(units, unit)) throw new GloveportError('INVALID_OPTION', `${option} takes ${expected}, not '${text}'`, { option });
  return Math.round(Number(match[1]) * (units[unit] as number));
}
