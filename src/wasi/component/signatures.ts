// The types of WASI 0.2's functions, as far as this host provides them. A component declares for itself what it imports, and the generated code converts
// by that declaration alone: it has to be the real one, or the host's functions would get values of types that they never expect.
import type { Case, Field, FunctionType, WitType } from '../../component/types.ts';
import { withoutVersion } from '../../component/naming.ts';

/**
 * Whether `declared` is the type that WASI 0.2 gives to `name` of `module`, an interface without its version; false for functions that this host does not
 * have. Names of parameters do not matter, nor do versions of resources.
 */
export function isWasiSignature(module: string, name: string, declared: FunctionType): boolean {
  const signature = SIGNATURES.get(module)?.get(name);
  if (signature === undefined || signature.params.length !== declared.params.length) return false;
  return signature.params.every((type, index) => sameType(type, declared.params[index]?.type)) && sameType(signature.result, declared.result);
}

/** The functions of each interface, for tests. */
export function wasiSignatures(): ReadonlyMap<string, readonly string[]> {
  return new Map([...SIGNATURES].map(([module, functions]) => [module, [...functions.keys()]]));
}

interface Signature {
  readonly params: readonly WitType[];
  readonly result: WitType | undefined;
}

// Walks the host's own type, which is small, and never further into the guest's.
function sameType(type: WitType | undefined, other: WitType | undefined): boolean {
  if (type === undefined || other === undefined) return type === other;
  switch (type.kind) {
    case 'record':
      return other.kind === 'record' && sameMembers(type.fields, other.fields);
    case 'variant':
      return other.kind === 'variant' && sameMembers(type.cases, other.cases);
    case 'list':
      return other.kind === 'list' && sameType(type.element, other.element);
    case 'tuple':
      return other.kind === 'tuple' && type.items.length === other.items.length && type.items.every((item, index) => sameType(item, other.items[index]));
    case 'flags':
    case 'enum':
      return other.kind === type.kind && type.names.length === other.names.length && type.names.every((name, index) => name === other.names[index]);
    case 'option':
      return other.kind === 'option' && sameType(type.some, other.some);
    case 'result':
      return other.kind === 'result' && sameType(type.ok, other.ok) && sameType(type.err, other.err);
    case 'own':
    case 'borrow':
      return other.kind === type.kind && type.resource === unversioned(other.resource);
    default:
      return type.kind === other.kind;
  }
}

function sameMembers(members: readonly (Field | Case)[], others: readonly (Field | Case)[]): boolean {
  return members.length === others.length && members.every(({ name, type }, index) => name === others[index]?.name && sameType(type, others[index]?.type));
}

// `wasi:io/error@0.2.3#error` as `wasi:io/error#error`.
function unversioned(resource: string): string {
  const separator = resource.indexOf('#');
  return separator < 0 ? resource : withoutVersion(resource.slice(0, separator)) + resource.slice(separator);
}

/** Where each resource is at home. */
const RESOURCES: ReadonlyMap<string, string> = new Map([
  ['error', 'wasi:io/error'],
  ['pollable', 'wasi:io/poll'],
  ['input-stream', 'wasi:io/streams'],
  ['output-stream', 'wasi:io/streams'],
  ['terminal-input', 'wasi:cli/terminal-input'],
  ['terminal-output', 'wasi:cli/terminal-output'],
  ['descriptor', 'wasi:filesystem/types'],
  ['directory-entry-stream', 'wasi:filesystem/types'],
]);

// Names for types, in WIT's notation with braces right behind the kind; each may use those before it.
const NAMED_TYPES: readonly (readonly [name: string, type: string])[] = [
  ['stream-error', 'variant{last-operation-failed(error),closed}'],
  ['datetime', 'record{seconds:u64,nanoseconds:u32}'],
  ['descriptor-type', 'enum{unknown,block-device,character-device,directory,fifo,symbolic-link,regular-file,socket}'],
  ['descriptor-flags', 'flags{read,write,file-integrity-sync,data-integrity-sync,requested-write-sync,mutate-directory}'],
  ['path-flags', 'flags{symlink-follow}'],
  ['open-flags', 'flags{create,directory,exclusive,truncate}'],
  [
    'descriptor-stat',
    'record{type:descriptor-type,link-count:u64,size:u64,data-access-timestamp:option<datetime>,data-modification-timestamp:option<datetime>,' +
      'status-change-timestamp:option<datetime>}',
  ],
  ['new-timestamp', 'variant{no-change,now,timestamp(datetime)}'],
  ['directory-entry', 'record{type:descriptor-type,name:string}'],
  ['advice', 'enum{normal,sequential,random,will-need,dont-need,no-reuse}'],
  ['metadata-hash-value', 'record{lower:u64,upper:u64}'],
  [
    'error-code',
    'enum{access,would-block,already,bad-descriptor,busy,deadlock,quota,exist,file-too-large,illegal-byte-sequence,in-progress,interrupted,invalid,io,' +
      'is-directory,loop,too-many-links,message-size,name-too-long,no-device,no-entry,no-lock,insufficient-memory,insufficient-space,not-directory,' +
      'not-empty,not-recoverable,unsupported,no-tty,no-such-device,overflow,not-permitted,pipe,read-only,invalid-seek,text-file-busy,cross-device}',
  ],
];

// One function on a line: its name, a method's behind that of its resource, the types of its parameters without `self`, and its result.
const FUNCTIONS: Readonly<Record<string, string>> = {
  'wasi:cli/environment': `
    get-environment() -> list<tuple<string,string>>
    get-arguments() -> list<string>
    initial-cwd() -> option<string>`,
  'wasi:cli/exit': `
    exit(result)
    exit-with-code(u8)`,
  'wasi:cli/stdin': 'get-stdin() -> input-stream',
  'wasi:cli/stdout': 'get-stdout() -> output-stream',
  'wasi:cli/stderr': 'get-stderr() -> output-stream',
  'wasi:cli/terminal-stdin': 'get-terminal-stdin() -> option<terminal-input>',
  'wasi:cli/terminal-stdout': 'get-terminal-stdout() -> option<terminal-output>',
  'wasi:cli/terminal-stderr': 'get-terminal-stderr() -> option<terminal-output>',
  'wasi:clocks/monotonic-clock': `
    now() -> u64
    resolution() -> u64
    subscribe-instant(u64) -> pollable
    subscribe-duration(u64) -> pollable`,
  'wasi:clocks/wall-clock': `
    now() -> datetime
    resolution() -> datetime`,
  'wasi:random/random': `
    get-random-bytes(u64) -> list<u8>
    get-random-u64() -> u64`,
  'wasi:random/insecure': `
    get-insecure-random-bytes(u64) -> list<u8>
    get-insecure-random-u64() -> u64`,
  'wasi:random/insecure-seed': 'insecure-seed() -> tuple<u64,u64>',
  'wasi:io/error': 'error.to-debug-string() -> string',
  'wasi:io/poll': `
    pollable.ready() -> bool
    pollable.block()
    poll(list<borrow<pollable>>) -> list<u32>`,
  'wasi:io/streams': `
    input-stream.read(u64) -> result<list<u8>,stream-error>
    input-stream.blocking-read(u64) -> result<list<u8>,stream-error>
    input-stream.skip(u64) -> result<u64,stream-error>
    input-stream.blocking-skip(u64) -> result<u64,stream-error>
    input-stream.subscribe() -> pollable
    output-stream.check-write() -> result<u64,stream-error>
    output-stream.write(list<u8>) -> result<_,stream-error>
    output-stream.blocking-write-and-flush(list<u8>) -> result<_,stream-error>
    output-stream.flush() -> result<_,stream-error>
    output-stream.blocking-flush() -> result<_,stream-error>
    output-stream.subscribe() -> pollable
    output-stream.write-zeroes(u64) -> result<_,stream-error>
    output-stream.blocking-write-zeroes-and-flush(u64) -> result<_,stream-error>
    output-stream.splice(borrow<input-stream>,u64) -> result<u64,stream-error>
    output-stream.blocking-splice(borrow<input-stream>,u64) -> result<u64,stream-error>`,
  'wasi:filesystem/preopens': 'get-directories() -> list<tuple<descriptor,string>>',
  'wasi:filesystem/types': `
    filesystem-error-code(borrow<error>) -> option<error-code>
    descriptor.read-via-stream(u64) -> result<input-stream,error-code>
    descriptor.write-via-stream(u64) -> result<output-stream,error-code>
    descriptor.append-via-stream() -> result<output-stream,error-code>
    descriptor.advise(u64,u64,advice) -> result<_,error-code>
    descriptor.sync-data() -> result<_,error-code>
    descriptor.get-flags() -> result<descriptor-flags,error-code>
    descriptor.get-type() -> result<descriptor-type,error-code>
    descriptor.set-size(u64) -> result<_,error-code>
    descriptor.set-times(new-timestamp,new-timestamp) -> result<_,error-code>
    descriptor.read(u64,u64) -> result<tuple<list<u8>,bool>,error-code>
    descriptor.write(list<u8>,u64) -> result<u64,error-code>
    descriptor.read-directory() -> result<directory-entry-stream,error-code>
    descriptor.sync() -> result<_,error-code>
    descriptor.create-directory-at(string) -> result<_,error-code>
    descriptor.stat() -> result<descriptor-stat,error-code>
    descriptor.stat-at(path-flags,string) -> result<descriptor-stat,error-code>
    descriptor.set-times-at(path-flags,string,new-timestamp,new-timestamp) -> result<_,error-code>
    descriptor.link-at(path-flags,string,borrow<descriptor>,string) -> result<_,error-code>
    descriptor.open-at(path-flags,string,open-flags,descriptor-flags) -> result<descriptor,error-code>
    descriptor.readlink-at(string) -> result<string,error-code>
    descriptor.remove-directory-at(string) -> result<_,error-code>
    descriptor.rename-at(string,borrow<descriptor>,string) -> result<_,error-code>
    descriptor.symlink-at(string,string) -> result<_,error-code>
    descriptor.unlink-file-at(string) -> result<_,error-code>
    descriptor.is-same-object(borrow<descriptor>) -> bool
    descriptor.metadata-hash() -> result<metadata-hash-value,error-code>
    descriptor.metadata-hash-at(path-flags,string) -> result<metadata-hash-value,error-code>
    directory-entry-stream.read-directory-entry() -> result<option<directory-entry>,error-code>`,
};

/** Reads one of the texts above. They are ours: what does not fit the notation is taken for a name, and a name that is unknown throws. */
class TypeReader {
  readonly #named: ReadonlyMap<string, WitType>;
  readonly #tokens: string[];

  constructor(text: string, named: ReadonlyMap<string, WitType>) {
    this.#tokens = text.match(/[a-z][a-z0-9-]*|->|[_<>(){}:,.]/g) ?? [];
    this.#named = named;
  }

  signature(): [name: string, Signature] {
    const first = this.#next();
    const method = this.#skips('.');
    const name = method ? `[method]${first}.${this.#next()}` : first;
    const params = this.#list('(', ')', () => this.type());
    return [name, { params: method ? [{ kind: 'borrow', resource: home(first) }, ...params] : params, result: this.#skips('->') ? this.type() : undefined }];
  }

  type(): WitType {
    const name = this.#next();
    switch (name) {
      case 'list':
        return { kind: name, element: this.#arguments()[0] as WitType };
      case 'option':
        return { kind: name, some: this.#arguments()[0] as WitType };
      case 'tuple':
        return { kind: name, items: this.#arguments() as WitType[] };
      case 'result': {
        const [ok, err] = this.#tokens[0] === '<' ? this.#arguments() : [];
        return { kind: name, ...(ok && { ok }), ...(err && { err }) };
      }
      case 'borrow':
        return { kind: name, resource: (this.#arguments()[0] as { resource: string }).resource };
      case 'record':
        return { kind: name, fields: this.#members(':') as Field[] };
      case 'variant':
        return { kind: name, cases: this.#members('(') };
      case 'enum':
      case 'flags':
        return { kind: name, names: this.#list('{', '}', () => this.#next()) };
      default:
        return this.#named.get(name) ?? { kind: 'own', resource: home(name) };
    }
  }

  #arguments(): (WitType | undefined)[] {
    return this.#list('<', '>', () => (this.#skips('_') ? undefined : this.type()));
  }

  #members(separator: ':' | '('): Case[] {
    return this.#list('{', '}', () => {
      const name = this.#next();
      if (!this.#skips(separator)) return { name };
      const type = this.type();
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
    if (this.#tokens[0] !== token) return false;
    this.#tokens.shift();
    return true;
  }

  #next(): string {
    return this.#tokens.shift() ?? '';
  }
}

function home(resource: string): string {
  const module = RESOURCES.get(resource);
  if (module === undefined) throw new TypeError(`the signatures of WASI name ${resource}, which is no type`);
  return `${module}#${resource}`;
}

const PRIMITIVES = ['bool', 'u8', 's8', 'u16', 's16', 'u32', 's32', 'u64', 's64', 'f32', 'f64', 'char', 'string'] as const;

const SIGNATURES: ReadonlyMap<string, ReadonlyMap<string, Signature>> = readSignatures();

function readSignatures(): ReadonlyMap<string, ReadonlyMap<string, Signature>> {
  const named = new Map<string, WitType>(PRIMITIVES.map((kind) => [kind, { kind }]));
  for (const [name, text] of NAMED_TYPES) named.set(name, new TypeReader(text, named).type());
  return new Map(
    Object.entries(FUNCTIONS).map(([module, text]) => [
      module,
      new Map(
        text
          .trim()
          .split('\n')
          .map((line) => new TypeReader(line, named).signature()),
      ),
    ]),
  );
}
