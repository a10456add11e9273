// Turns what was read of the outermost component into the plain data that others see: resources get the names of their place in the world.
import { GloveportError } from '../../errors.ts';
import type { DraftFunction, DraftType, Extern, Instance, Resource, SizedFunction, TypeEntry } from './scope.ts';
import type { InterfaceFunction, WitFunctionType, WitType, World, WorldItem } from './types.ts';
import type { Work } from './work.ts';

/**
 * Instances are shared by all names that they were given, so what is written out for each name is counted once more, at `offset`.
 * @throws GloveportError UNSUPPORTED_FEATURE for components and instances inside instances, which WIT cannot write either; MODULE_TOO_LARGE over a budget.
 */
export function describeWorld(imports: Instance, exports: Instance, work: Work, offset: number): World {
  const plain = new Plain(work, offset);
  for (const [name, extern] of exports) {
    if (extern.sort === 'instance') work.spend('definitions to evaluate', extern.instance.size, offset);
    nameResources(name, extern);
  }
  return { imports: plain.items(imports), exports: plain.items(exports) };
}

// A resource that the component defines itself is called after where it is exported, an imported one already has its name.
function nameResources(name: string, extern: Extern): void {
  if (extern.sort === 'type') return nameResource(extern, name);
  if (extern.sort !== 'instance') return;
  for (const [inner, item] of extern.instance) nameResource(item, `${name}#${inner}`);
}

function nameResource(extern: Extern, name: string): void {
  if (extern.sort !== 'type' || extern.entry.sort !== 'resource' || extern.entry.resource.named) return;
  extern.entry.resource.name = name;
  extern.entry.resource.named = true;
}

class Plain {
  // Types are shared between definitions; one that was turned once stays shared.
  readonly #types = new Map<DraftType, WitType>();
  readonly #functions = new Map<DraftFunction, WitFunctionType>();
  readonly #work: Work;
  readonly #offset: number;

  constructor(work: Work, offset: number) {
    this.#work = work;
    this.#offset = offset;
  }

  items(world: Instance): WorldItem[] {
    return [...world].flatMap(([name, extern]) => this.#item(name, extern));
  }

  #item(name: string, extern: Extern): WorldItem[] {
    switch (extern.sort) {
      case 'function':
        return [{ kind: 'function', name, type: this.#function(extern.function) }];
      case 'type':
        return this.#isOwnResource(extern.entry, name) ? [{ kind: 'resource', name }] : [];
      case 'instance':
        return [this.#interface(name, extern.instance)];
      case 'component':
        throw new GloveportError('UNSUPPORTED_FEATURE', `'${name}' is a component inside a component's imports or exports`, {
          feature: 'components as imports and exports',
          name,
        });
    }
  }

  #interface(name: string, instance: Instance): WorldItem {
    this.#work.spend('definitions to evaluate', instance.size, this.#offset);
    const functions: InterfaceFunction[] = [];
    const resources: string[] = [];
    for (const [inner, extern] of instance) {
      if (extern.sort === 'function') functions.push({ name: inner, type: this.#function(extern.function) });
      else if (extern.sort !== 'type') {
        throw new GloveportError('UNSUPPORTED_FEATURE', `'${name}' holds the ${extern.sort} '${inner}'`, { feature: 'interfaces inside interfaces', name });
      } else if (this.#isOwnResource(extern.entry, `${name}#${inner}`)) resources.push(inner);
    }
    return { kind: 'interface', name, functions, resources };
  }

  #function({ type, parts }: SizedFunction): WitFunctionType {
    this.#work.spend('parts of the world', 1 + parts, this.#offset);
    let known = this.#functions.get(type);
    if (known === undefined) {
      const params = type.params.map(({ name, type: draft }) => ({ name, type: this.#type(draft) }));
      known = type.result === undefined ? { params } : { params, result: this.#type(type.result) };
      this.#functions.set(type, known);
    }
    return known;
  }

  // A resource that an interface merely uses belongs to another one and has that one's name.
  #isOwnResource(entry: TypeEntry, name: string): boolean {
    if (entry.sort !== 'resource' || entry.resource.name !== name) return false;
    this.#work.spend('parts of the world', 1, this.#offset);
    return true;
  }

  #type(draft: DraftType): WitType {
    let type = this.#types.get(draft);
    if (type === undefined) {
      type = this.#turn(draft);
      this.#types.set(draft, type);
    }
    return type;
  }

  #turn(draft: DraftType): WitType {
    switch (draft.kind) {
      case 'record':
        return { kind: 'record', fields: draft.fields.map(({ name, type }) => ({ name, type: this.#type(type) })) };
      case 'variant':
        return { kind: 'variant', cases: draft.cases.map(({ name, type }) => (type === undefined ? { name } : { name, type: this.#type(type) })) };
      case 'list':
        return { kind: 'list', element: this.#type(draft.element) };
      case 'tuple':
        return { kind: 'tuple', items: draft.items.map((item) => this.#type(item)) };
      case 'option':
        return { kind: 'option', some: this.#type(draft.some) };
      case 'result':
        return { kind: 'result', ...(draft.ok && { ok: this.#type(draft.ok) }), ...(draft.err && { err: this.#type(draft.err) }) };
      case 'own':
      case 'borrow':
        return { kind: draft.kind, resource: nameOf(draft.resource) };
      default:
        return draft;
    }
  }
}

function nameOf(resource: Resource): string {
  return resource.name ?? 'resource';
}
