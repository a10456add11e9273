// The exported functions of a guest as an object that reads like the interface they come from, and its type.
import { pascalCase, placeOf, withoutVersion } from '../component/naming.ts';
import { type Program, splitName } from '../component/program.ts';
import type { ResourceClasses } from './resources.ts';

/**
 * What a guest's exports look like for a type written as the guest has them: functions give promises, interfaces are objects of them, classes of resources
 * are constructed at once and their methods give promises.
 */
export type GuestExports<Exports> = { readonly [Name in keyof Exports]: GuestExport<Exports[Name]> };

type GuestExport<Export> = Export extends (...args: infer Args) => infer Result
  ? (...args: Args) => Promise<GuestValue<Awaited<Result>>>
  : Export extends abstract new (
        ...args: infer Args
      ) => infer Resource
    ? (new (...args: Args) => GuestValue<Resource>) & GuestExports<Omit<Export, 'prototype'>>
    : Export extends object
      ? GuestExports<Export>
      : unknown;

/** A value that a guest gives out. Only resources have methods; all other values are what they are. */
type GuestValue<Value> = Value extends readonly unknown[] | ArrayBufferView
  ? Value
  : Value extends object
    ? {
        [Name in keyof Value]: Name extends string
          ? Value[Name] extends (...args: infer Args) => infer Result
            ? (...args: Args) => Promise<GuestValue<Awaited<Result>>>
            : Value[Name]
          : Value[Name];
      }
    : Value;

type Call = (name: string, args: readonly unknown[]) => Promise<unknown>;

/**
 * Null-prototype objects throughout: the names are the guest's choice. A function called `then` is left out, since such an object would take over every
 * promise that it comes through; `guest.call('then')` reaches it.
 */
export function exportsFacade<Exports>(program: Program, classes: ResourceClasses, call: Call): GuestExports<Exports> {
  const root: Record<string, unknown> = Object.create(null);
  const interfaces = new Map<string, Record<string, unknown>>();
  const membersOf = (owner: string): Record<string, unknown> => {
    if (owner === '') return root;
    let members = interfaces.get(owner);
    if (members === undefined) {
      members = Object.create(null) as Record<string, unknown>;
      interfaces.set(owner, members);
    }
    return members;
  };
  for (const { name, kind } of program.exports) {
    const callable = (...args: unknown[]): Promise<unknown> => call(name, args);
    if (program.kind === 'core') {
      if (kind === 'function' && name !== 'then') root[name] = callable;
      continue;
    }
    const [owner, member] = splitName(name);
    const place = placeOf(member);
    if (kind === 'resource') membersOf(owner)[pascalCase(member)] = classes.get(name);
    else if (place.kind === 'function' && place.property !== 'then') membersOf(owner)[place.property] = callable;
  }
  for (const [owner, members] of interfaces) {
    Object.freeze(members);
    root[owner] = members;
    root[withoutVersion(owner)] ??= members;
  }
  return Object.freeze(root) as GuestExports<Exports>;
}
