// The engine's own types, for signatures: declarations that are published must also compile where the types of browsers, which bring them, are absent.

type Engine = typeof globalThis extends { WebAssembly: infer Namespace } ? Namespace : never;
type InstanceOf<Name extends string> = Engine extends { readonly [Key in Name]: { readonly prototype: infer Instance } } ? Instance : object;

export type EngineMemory = InstanceOf<'Memory'>;
export type EngineModule = InstanceOf<'Module'>;
