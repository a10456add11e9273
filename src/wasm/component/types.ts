// WIT types as plain data, after the component model's defined types. Only data: reading them from bytes is for `reader.ts`, checking values against
// them for src/component/values.ts.

export type PrimitiveKind = 'bool' | 'u8' | 's8' | 'u16' | 's16' | 'u32' | 's32' | 'u64' | 's64' | 'f32' | 'f64' | 'char' | 'string';

/** A named type inside another one: a record's field, a function's parameter. */
export interface Field<Resource = string> {
  readonly name: string;
  readonly type: WitType<Resource>;
}

/** A case of a variant, with the type of its payload if it has one. */
export interface Case<Resource = string> {
  readonly name: string;
  readonly type?: WitType<Resource>;
}

/**
 * A WIT type. Names are WIT's own (kebab-case). A resource is named by where it is imported or exported, `demo:plug/api@0.1.0#counter`, or by its
 * plain name when that is the world itself.
 */
export type WitType<Resource = string> =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: 'record'; readonly fields: readonly Field<Resource>[] }
  | { readonly kind: 'variant'; readonly cases: readonly Case<Resource>[] }
  | { readonly kind: 'list'; readonly element: WitType<Resource> }
  | { readonly kind: 'tuple'; readonly items: readonly WitType<Resource>[] }
  | { readonly kind: 'flags'; readonly names: readonly string[] }
  | { readonly kind: 'enum'; readonly names: readonly string[] }
  | { readonly kind: 'option'; readonly some: WitType<Resource> }
  | { readonly kind: 'result'; readonly ok?: WitType<Resource>; readonly err?: WitType<Resource> }
  | { readonly kind: 'own' | 'borrow'; readonly resource: Resource };

/** The type of a component's function. Methods have their resource as first parameter, `self`. */
export interface WitFunctionType<Resource = string> {
  readonly params: readonly Field<Resource>[];
  readonly result?: WitType<Resource>;
}

/** What a component imports or exports under one name. */
export type WorldItem =
  | { readonly kind: 'function'; readonly name: string; readonly type: WitFunctionType }
  | { readonly kind: 'resource'; readonly name: string }
  | { readonly kind: 'interface'; readonly name: string; readonly functions: readonly InterfaceFunction[]; readonly resources: readonly string[] };

export interface InterfaceFunction {
  readonly name: string;
  readonly type: WitFunctionType;
}

/** The world that a component lives in, in the order of its binary. Types without functions are left out. */
export interface World {
  readonly imports: readonly WorldItem[];
  readonly exports: readonly WorldItem[];
}
