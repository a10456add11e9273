// The types of what a program imports and exports, in one place for the rooms above: WIT types for components, value types for core modules.
import type { FunctionType as CoreFunctionType } from '../wasm/types.ts';
import type { WitFunctionType } from '../wasm/component/types.ts';

export type { Case, Field, PrimitiveKind, WitType } from '../wasm/component/types.ts';
export type { FunctionType as CoreFunctionType } from '../wasm/types.ts';
/** The type of a component's function: named parameters and at most one result. */
export type FunctionType = WitFunctionType;

/** Whether `type` is that of a component's function, not a core module's. */
export function isWitFunction(type: FunctionType | CoreFunctionType): type is FunctionType {
  return !('results' in type);
}
