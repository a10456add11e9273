// Host functions as guests call them: what a host function returns or throws is checked and copied before the guest gets to see it, and what does not fit
// stops the guest with HOST_FUNCTION_FAILED, so that nothing of the host reaches it.
import { ComponentError, GloveportError, isInstance } from '../errors.ts';
import type { GuestControl } from '../metering/control.ts';
import { type CoreFunctionType, type FunctionType, isWitFunction, type WitType } from './types.ts';
import { isPromise, thrownPayload } from './thrown.ts';
import { copyCoreValue, copyValue, ValueMismatch } from './values.ts';

type Callable = (...values: unknown[]) => unknown;

/**
 * `implementation` with its result checked against `type`. It is called with `this` undefined. For a WIT `result` type, a thrown object with an own
 * `payload` (a ComponentError), or a thrown value that is no Error, becomes the guest's `err`; everything else that is thrown stops the guest.
 * @param label names the function in errors.
 * @throws GloveportError UNSUPPORTED_FEATURE for a core function with references or vectors, which do not cross.
 */
export function bindHostFunction(label: string, type: FunctionType | CoreFunctionType, implementation: Callable, control: GuestControl): Callable {
  const failed = (why: string, cause?: unknown): never =>
    control.stop(new GloveportError('HOST_FUNCTION_FAILED', `host function ${label} ${why}`, { function: label }, cause === undefined ? {} : { cause }));
  const convert = isWitFunction(type) ? witResult(type) : coreResult(label, type);
  const errType = isWitFunction(type) && type.result?.kind === 'result' ? { type: type.result.err } : undefined;

  return (...values) => {
    try {
      return checked(() => convert(Reflect.apply(implementation, undefined, values)));
    } catch (error) {
      if (control.isStop(error)) throw error;
      if (isInstance(error, Misfit)) return failed(error.message);
      const payload = errType && thrownPayload(error);
      if (errType === undefined || payload === undefined) return failed('failed', error);
      return failWith(errType.type, payload.value);
    }
  };

  function failWith(errType: WitType | undefined, value: unknown): never {
    let payload: unknown;
    try {
      payload = checked(() => (errType === undefined ? undefined : copyValue(errType, value, anyResource)), 'threw an error whose payload');
    } catch (error) {
      return failed(isInstance(error, Misfit) ? error.message : 'failed', error);
    }
    throw new ComponentError(payload);
  }
}

// The class of a host's resources is the host's own; that it is the right one is checked when the resource is lowered.
const anyResource = () => true;

// A value that the host gave and that does not fit: our own finding, not an error of the host's code.
class Misfit extends Error {}

function checked<Result>(check: () => Result, what = 'returned a value that'): Result {
  try {
    return check();
  } catch (error) {
    if (isInstance(error, ValueMismatch)) throw new Misfit(`${what}${error.path && ` at ${error.path}`} ${error.message}`);
    throw error;
  }
}

function witResult({ result }: FunctionType): (value: unknown) => unknown {
  // What a function without a result returns is of no interest, as in `(line) => lines.push(line)`, unless it goes on behind the guest's back.
  if (result === undefined) return (value) => void refusePromise(value);
  if (result.kind !== 'result') return (value) => copyValue(result, refusePromise(value), anyResource);
  const { ok } = result;
  return (value) => {
    refusePromise(value);
    return ok === undefined ? undefined : copyValue(ok, value, anyResource);
  };
}

function coreResult(label: string, { params, results }: CoreFunctionType): (value: unknown) => unknown {
  const foreign = [...params, ...results].find((type) => !/^[if](?:32|64)$/.test(type));
  if (foreign !== undefined) {
    throw new GloveportError('UNSUPPORTED_FEATURE', `host function ${label} has values of type ${foreign}, which do not cross between guest and host`, {
      feature: `${foreign} in host functions`,
    });
  }
  const [only, ...more] = results;
  if (only === undefined) return (value) => void refusePromise(value);
  if (more.length === 0) return (value) => copyCoreValue(only, refusePromise(value));
  return (value) => {
    if (!Array.isArray(value) || value.length !== results.length) throw new ValueMismatch(`must be an array of ${results.length}`);
    return results.map((type, index) => copyCoreValue(type, value[index]));
  };
}

function refusePromise(value: unknown): unknown {
  if (!isPromise(value)) return value;
  throw new ValueMismatch('must not be a Promise: the guest waits for the value itself');
}
