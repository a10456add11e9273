// Reads the texts in which this folder keeps the functions of WASI. They are ours, so their reader takes them for well-formed: a name that is unknown throws
// when the package is loaded, all else is caught by the test that compares them with WIT.
//
// A text is a sequence of these, and each may use the types before it, also those of packages before it; bare names of resources mean `own`:
//   interface wasi:io/streams                      what follows belongs to it
//   resource pollable                              at home in the interface
//   type duration = u64                            WIT's types, with braces right behind the kind: record{a:u8}, variant{a,b(u8)}, enum{a,b}, flags{a,b}
//   poll(list<borrow<pollable>>) -> list<u32>      a function
//   pollable.ready() -> bool                       a method, without its `self`
//   new fields()                                   a constructor
//   static fields.from-list(string) -> fields      a static function
import type { Case, Field, WitType } from '../../../component/types.ts';

/** The types of a function's parameters, `self` included, and of its result. */
export interface Signature {
  readonly params: readonly WitType[];
  readonly result: WitType | undefined;
}

/** What an interface has, by WIT's names: `poll`, `[method]pollable.ready`, `[constructor]fields`, `[static]fields.from-list`. */
export interface Interface {
  readonly functions: ReadonlyMap<string, Signature>;
  readonly resources: readonly string[];
}

/** The interfaces of `packages` by name, without version. */
export function readPackages(packages: readonly string[]): ReadonlyMap<string, Interface> {
  const interfaces = new Map<string, Interface>();
  let types: ReadonlyMap<string, WitType> = new Map(PRIMITIVES.map((kind) => [kind, { kind }]));
  for (const text of packages) types = new PackageReader(text, types).read(interfaces);
  return interfaces;
}

const PRIMITIVES = ['bool', 'u8', 's8', 'u16', 's16', 'u32', 's32', 'u64', 's64', 'f32', 'f64', 'char', 'string'] as const;
const TOKEN = /wasi:[a-z-]+\/[a-z-]+|[A-Za-z][A-Za-z0-9-]*|->|[_<>(){}:,.=]/g;

class PackageReader {
  readonly #types: Map<string, WitType>;
  // The next token is the last one.
  readonly #tokens: string[];

  constructor(text: string, types: ReadonlyMap<string, WitType>) {
    this.#types = new Map(types);
    this.#tokens = (text.match(TOKEN) ?? []).reverse();
  }

  read(interfaces: Map<string, Interface>): ReadonlyMap<string, WitType> {
    while (this.#skips('interface')) {
      const module = this.#next();
      const functions = new Map<string, Signature>();
      const resources: string[] = [];
      interfaces.set(module, { functions, resources });
      while (this.#tokens.length > 0 && this.#tokens.at(-1) !== 'interface') {
        if (this.#skips('resource')) {
          const name = this.#next();
          resources.push(name);
          this.#types.set(name, { kind: 'own', resource: `${module}#${name}` });
        } else if (this.#skips('type')) {
          const name = this.#next();
          this.#skips('=');
          this.#types.set(name, this.#type());
        } else {
          functions.set(...this.#function());
        }
      }
    }
    return this.#types;
  }

  #function(): [name: string, Signature] {
    const kind = this.#skips('new') ? 'constructor' : this.#skips('static') ? 'static' : 'function';
    const first = this.#next();
    const member = this.#skips('.') ? this.#next() : undefined;
    const params = this.#list('(', ')', () => this.#type());
    const result = this.#skips('->') ? this.#type() : undefined;
    if (kind === 'constructor') return [`[constructor]${first}`, { params, result: this.#named(first) }];
    if (member === undefined) return [first, { params, result }];
    if (kind === 'static') return [`[static]${first}.${member}`, { params, result }];
    return [`[method]${first}.${member}`, { params: [borrow(this.#named(first)), ...params], result }];
  }

  #type(): WitType {
    const name = this.#next();
    switch (name) {
      case 'list':
        return { kind: name, element: this.#arguments()[0] as WitType };
      case 'option':
        return { kind: name, some: this.#arguments()[0] as WitType };
      case 'tuple':
        return { kind: name, items: this.#arguments() as WitType[] };
      case 'result': {
        const [ok, err] = this.#tokens.at(-1) === '<' ? this.#arguments() : [];
        return { kind: name, ...(ok && { ok }), ...(err && { err }) };
      }
      case 'borrow':
        return borrow(this.#arguments()[0]);
      case 'record':
        return { kind: name, fields: this.#members(':') as Field[] };
      case 'variant':
        return { kind: name, cases: this.#members('(') };
      case 'enum':
      case 'flags':
        return { kind: name, names: this.#list('{', '}', () => this.#next()) };
      default:
        return this.#named(name);
    }
  }

  #named(name: string): WitType {
    const type = this.#types.get(name);
    if (type === undefined) throw new TypeError(`the signatures of WASI name ${name}, which is no type`);
    return type;
  }

  #arguments(): (WitType | undefined)[] {
    return this.#list('<', '>', () => (this.#skips('_') ? undefined : this.#type()));
  }

  #members(separator: ':' | '('): Case[] {
    return this.#list('{', '}', () => {
      const name = this.#next();
      if (!this.#skips(separator)) return { name };
      const type = this.#type();
      this.#skips(')');
      return { name, type };
    });
  }

  #list<Item>(open: string, close: string, read: () => Item): Item[] {
    this.#skips(open);
    const items: Item[] = [];
    while (!this.#skips(close)) {
      items.push(read());
      this.#skips(',');
    }
    return items;
  }

  #skips(token: string): boolean {
    if (this.#tokens.at(-1) !== token) return false;
    this.#tokens.pop();
    return true;
  }

  #next(): string {
    return this.#tokens.pop() ?? '';
  }
}

function borrow(type: WitType | undefined): WitType {
  return { kind: 'borrow', resource: (type as { readonly resource: string }).resource };
}
