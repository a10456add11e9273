// What a failing call is held against in tests: the code and category of a typed error, and nothing that is not one.
import { ComponentError, GloveportError } from 'gloveport';
import type { ErrorCode } from 'gloveport';

/** The error that `work` ends with, thrown or rejected. Fails when it ends well, or with anything but a GloveportError. */
export async function errorOf(work: () => unknown): Promise<GloveportError> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    if (error instanceof GloveportError) return error;
    throw new Error('not a GloveportError', { cause: error });
  }
  throw new Error(`no error; the result was ${typeof result}`);
}

/** The code of {@link errorOf}. */
export async function codeOf(work: () => unknown): Promise<ErrorCode> {
  return (await errorOf(work)).code;
}

/** The payload of the ComponentError that `work` rejects with. */
export async function payloadOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    () => new Error('no error'),
    (reason: unknown) => reason,
  );
  if (error instanceof ComponentError) return error.payload;
  throw error;
}
