// The classes of a component's exported resources. Their objects come out of calls, so the classes themselves are put under the guest's meter: whatever a
// method or a constructor does, it does inside a call with limits.
import { pascalCase, placeOf } from '../component/naming.ts';
import { type ExportedFunction, type Program, type ProgramInstance, splitName } from '../component/program.ts';
import { GloveportError } from '../errors.ts';
import type { Meter } from '../metering/meter.ts';

type Class = (new (...args: unknown[]) => object) & { prototype: Record<PropertyKey, unknown> };

/** By the resource's name among the exports, `demo:plug/api@0.1.0#counter`. */
export type ResourceClasses = ReadonlyMap<string, unknown>;

/** The exported function of a name, for as long as the guest has it. @throws GloveportError DISPOSED afterwards. */
export type FindFunction = (name: string) => ExportedFunction;

/** Changes the classes of `instance` in place. Methods and static functions give promises, as all calls do; constructors run at once, as does the
 * `Symbol.dispose` that each resource has of its own.
 * @throws GloveportError UNSUPPORTED_FEATURE for a class that cannot be guarded. */
export function guardClasses(program: Program, instance: ProgramInstance, meter: Meter, find: FindFunction): ResourceClasses {
  const classes = new Map<string, unknown>();
  for (const { name, kind } of program.exports) {
    if (kind !== 'resource') continue;
    const [owner, resource] = splitName(name);
    const original = instance.interfaces[owner]?.[pascalCase(resource)] as Class;
    const members = [...instance.functions.keys()].filter((member) => belongsTo(member, owner, pascalCase(resource)));
    try {
      classes.set(name, members.length === 0 ? original : guardClass(original, members, meter, find));
    } catch (cause) {
      // The glue's own class, or two members of it with one name in JavaScript, leaves no place for a guarded one.
      throw new GloveportError('UNSUPPORTED_FEATURE', `the resource '${name}' cannot be a class`, { feature: `members of ${name}` }, { cause });
    }
  }
  return classes;
}

function belongsTo(name: string, owner: string, resource: string): boolean {
  const [from, member] = splitName(name);
  const place = placeOf(member);
  return from === owner && place.kind !== 'function' && place.resource === resource;
}

// A class of its own over the prototype of the glue's: whoever keeps it, or an object of it, does not keep the guest's memory.
function guardClass(original: Class, names: readonly string[], meter: Meter, find: FindFunction): Class {
  let construct: (args: unknown[]) => unknown = () => {
    throw new TypeError('this resource has no constructor');
  };
  const guarded = function (...args: unknown[]): unknown {
    if (new.target === undefined) throw new TypeError('a resource is made with new');
    return construct(args);
  } as unknown as Class;
  Object.defineProperty(guarded, 'name', { value: original.name });
  guarded.prototype = original.prototype;
  for (const name of names) {
    const call = (args: unknown[]): Promise<unknown> => {
      const target = find(name);
      const checked = target.check(args);
      return meter.runAsync(() => target.invokeAsync(checked));
    };
    const place = placeOf(splitName(name)[1]);
    if (place.kind === 'constructor') {
      construct = (args) => {
        const target = find(name);
        const checked = target.check(args);
        return meter.run(() => target.invoke(checked));
      };
    } else if (place.kind === 'static') define(guarded, place.property, async (...args: unknown[]) => call(args));
    else if (place.kind === 'method' && place.property === 'then') {
      // An object with such a method would take over every promise that it is returned through; `guest.call('…#[method]name.then', object)` reaches it.
      define(original.prototype, 'then', undefined);
    } else if (place.kind === 'method' && place.property !== 'constructor') {
      // `constructor` stays the class, as below; such a method is reached in the same way.
      define(original.prototype, place.property, async function (this: unknown, ...args: unknown[]) {
        return call([this, ...args]);
      });
    }
  }
  define(original.prototype, 'constructor', guarded);
  return guarded;
}

function define(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: false });
}
