// Arguments of a call, checked one by one with the path of what does not fit.
import { GloveportError } from '../errors.ts';
import { type CoreFunctionType, type FunctionType, isWitFunction } from './types.ts';
import { copyCoreValue, copyValue, type ResourceCheck, ValueMismatch } from './values.ts';

/**
 * Copies of the arguments of a call of `name`.
 * @throws GloveportError INVALID_ARGUMENT; `details.path` is `args[0].items[3].name`.
 */
export function checkArguments(name: string, type: FunctionType | CoreFunctionType, args: readonly unknown[], isResource: ResourceCheck): unknown[] {
  const { length } = type.params;
  if (args.length !== length) {
    throw new GloveportError('INVALID_ARGUMENT', `${name} takes ${length} argument${length === 1 ? '' : 's'}, not ${args.length}`, {
      function: name,
      path: 'args',
    });
  }
  const copy = isWitFunction(type)
    ? (value: unknown, index: number) => copyValue((type.params[index] as FunctionType['params'][number]).type, value, isResource)
    : (value: unknown, index: number) => copyCoreValue(type.params[index] as CoreFunctionType['params'][number], value);
  return args.map((value, index) => checkArgument(name, index, () => copy(value, index)));
}

function checkArgument(name: string, index: number, copy: () => unknown): unknown {
  try {
    return copy();
  } catch (error) {
    if (!(error instanceof ValueMismatch)) throw error;
    const path = `args[${index}]${error.path}`;
    throw new GloveportError('INVALID_ARGUMENT', `${path} of ${name} ${error.message}`, { function: name, path });
  }
}
