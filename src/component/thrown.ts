// Looks at what host functions throw and return. It may be anything, a Proxy too, and nothing that it does when looked at gets out of here.
import { isInstance } from '../errors.ts';

/** The payload of a thrown `err`: an own `payload`, or the thrown value itself when it is no Error. Undefined for anything else, and for what cannot be read. */
export function thrownPayload(error: unknown): { readonly value: unknown } | undefined {
  try {
    if (typeof error === 'object' && error !== null && Object.hasOwn(error, 'payload')) return { value: (error as { payload: unknown }).payload };
    return error instanceof Error ? undefined : { value: error };
  } catch {
    return undefined;
  }
}

/** Whether `value` is a Promise. Nobody will wait for it, so its rejection is taken care of. */
export function isPromise(value: unknown): value is Promise<unknown> {
  if (!isInstance(value, Promise)) return false;
  try {
    Promise.prototype.then.call(value, undefined, () => undefined);
  } catch {
    // A class of its own that does not work as one: there is no rejection to take care of either.
  }
  return true;
}
