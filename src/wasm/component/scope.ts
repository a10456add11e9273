// The index spaces of a component or of an instance type while it is read, and what stands in them. Only what types need: core functions, tables and
// memories have no types of their own here, so their spaces are not kept.
import type { Reader } from '../reader.ts';
import type { WitFunctionType, WitType } from './types.ts';

/** A resource type. Two handles are of the same type when they hold the same object; `name` is filled in where it is imported or exported. */
export interface Resource {
  name?: string;
  /** Whether `name` is the one that the world shows. */
  named: boolean;
}

export type DraftType = WitType<Resource>;
export type DraftFunction = WitFunctionType<Resource>;

/** A type of values with its number of parts and levels when written out. */
export interface SizedType {
  readonly type: DraftType;
  readonly parts: number;
  readonly levels: number;
}

export interface SizedFunction {
  readonly type: DraftFunction;
  readonly parts: number;
}

export type TypeEntry =
  | { readonly sort: 'value'; readonly value: SizedType }
  | { readonly sort: 'function'; readonly function: SizedFunction }
  | { readonly sort: 'resource'; readonly resource: Resource }
  | { readonly sort: 'instance'; readonly instantiate: (name: string) => Instance };

export type Extern =
  | { readonly sort: 'function'; readonly function: SizedFunction }
  | { readonly sort: 'type'; readonly entry: TypeEntry }
  | { readonly sort: 'instance'; readonly instance: Instance }
  | { readonly sort: 'component'; readonly component: ComponentDefinition };

/** The exports of an instance, by name. */
export type Instance = ReadonlyMap<string, Extern>;

/** A component: where its sections are, and the scope that it was defined in. */
export interface ComponentDefinition {
  readonly start: number;
  readonly end: number;
  readonly scope: Scope | undefined;
}

/** The index spaces that types need, of one component or one instance type. */
export class Scope {
  readonly parent: Scope | undefined;
  readonly types: TypeEntry[] = [];
  readonly functions: SizedFunction[] = [];
  readonly instances: Instance[] = [];
  readonly components: ComponentDefinition[] = [];

  constructor(parent?: Scope) {
    this.parent = parent;
  }

  /** Adds `extern` to the index space of its sort. */
  add(extern: Extern): void {
    switch (extern.sort) {
      case 'function':
        this.functions.push(extern.function);
        return;
      case 'type':
        this.types.push(extern.entry);
        return;
      case 'instance':
        this.instances.push(extern.instance);
        return;
      case 'component':
        this.components.push(extern.component);
    }
  }

  /** The enclosing scope `count` levels out; 0 is this one. */
  outer(count: number, reader: Reader): Scope {
    let scope: Scope | undefined = this;
    for (let level = 0; level < count && scope !== undefined; level++) scope = scope.parent;
    return scope ?? reader.fail(`there are no ${count} enclosing scopes`);
  }
}

/** The item of an index space that the next number of `reader` names. */
export function at<Item>(space: readonly Item[], what: string, reader: Reader): Item {
  const offset = reader.pos;
  const index = reader.u32();
  const item = space[index];
  return item ?? reader.fail(`${what} ${index} does not exist`, offset);
}
