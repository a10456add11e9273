// Scripts of the specification's tests (its interpreter's README, "Scripts") as a list of commands, their modules assembled. What a command of an unknown
// kind would do is not guessed: it is reported.
import { parse } from '@bytecodealliance/jco';
import { wat } from '../support/wat.ts';
import { headOf, type List, lineOf, type Node, readNodes } from './sexpr.ts';
import { type Expected, readExpected, readValue, type Value } from './values.ts';

/** The bytes of a module, or why its text is none. */
export type Assembled = { readonly bytes: Uint8Array } | { readonly malformed: string };

export interface ModuleSource {
  readonly name: string | undefined;
  readonly assembled: Assembled;
}

export interface Action {
  readonly kind: 'invoke' | 'get';
  /** Of the module; the last one without it. */
  readonly module: string | undefined;
  readonly field: string;
  readonly args: readonly Value[];
}

export type ActionAssertion = 'assert_trap' | 'assert_exhaustion' | 'assert_exception';
export type ModuleAssertion = 'assert_invalid' | 'assert_malformed' | 'assert_unlinkable' | 'assert_uninstantiable';

export type Command = CommandBody & { readonly line: number };

type CommandBody =
  | { readonly kind: 'module' | 'definition'; readonly source: ModuleSource }
  | { readonly kind: 'instance'; readonly name: string | undefined; readonly definition: string | undefined }
  | { readonly kind: 'register'; readonly as: string; readonly module: string | undefined }
  | { readonly kind: 'action'; readonly action: Action }
  | { readonly kind: 'assert_return'; readonly action: Action; readonly expected: readonly Expected[] }
  | { readonly kind: ActionAssertion; readonly action: Action }
  | { readonly kind: ModuleAssertion; readonly source: ModuleSource }
  | { readonly kind: 'unsupported'; readonly what: string };

/** Reads a script. @throws SyntaxError when its parentheses or strings do not close; what is wrong with one command becomes an `unsupported` one. */
export async function readScript(text: string): Promise<readonly Command[]> {
  const nodes = readNodes(text);
  // A script may be the fields of one module, without a command around them.
  const commands = nodes.every((node) => COMMANDS.has(headOf(node) ?? '')) ? nodes : undefined;
  if (commands === undefined) return [{ kind: 'module', line: 1, source: { name: undefined, assembled: await assemble(text) } }];
  const reader = new ScriptReader(text);
  const read: Command[] = [];
  for (const node of commands) read.push(await reader.command(node as List));
  return read;
}

const COMMANDS = new Set([
  ...['module', 'register', 'invoke', 'get', 'thread', 'wait', 'script', 'input', 'output'],
  ...['assert_return', 'assert_trap', 'assert_exhaustion', 'assert_exception', 'assert_invalid', 'assert_malformed', 'assert_unlinkable'],
  ...['assert_uninstantiable', 'assert_invalid_custom', 'assert_malformed_custom', 'assert_suspension'],
]);

const FATAL_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class ScriptReader {
  readonly #text: string;
  // Lines are counted on from the command before.
  #line = 1;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  async command(list: List): Promise<Command> {
    this.#line += lineOf(this.#text.slice(this.#offset, list.start), list.start - this.#offset) - 1;
    this.#offset = list.start;
    const line = this.#line;
    try {
      return { line, ...(await this.#read(list)) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return { line, kind: 'unsupported', what: error.message };
    }
  }

  async #read(list: List): Promise<CommandBody> {
    const kind = headOf(list) as string;
    const [, first, ...rest] = list.items;
    switch (kind) {
      case 'module':
        return this.#module(list);
      case 'register':
        return { kind, as: string(first), module: name(rest[0]) };
      case 'invoke':
      case 'get':
        return { kind: 'action', action: readAction(list) };
      case 'assert_return':
        return { kind, action: readAction(first), expected: rest.map(readExpected) };
      case 'assert_trap':
      case 'assert_exhaustion':
      case 'assert_exception':
        // The older way to say that a module cannot be instantiated.
        if (headOf(first) === 'module') return { kind: 'assert_uninstantiable', source: await this.#source(first as List) };
        return { kind, action: readAction(first) };
      case 'assert_malformed':
        return { kind, source: await this.#source(first as List, true) };
      case 'assert_invalid':
      case 'assert_unlinkable':
      case 'assert_uninstantiable':
        return { kind, source: await this.#source(first as List) };
      default:
        throw new SyntaxError(`commands of the kind '${kind}' are not run`);
    }
  }

  async #module(list: List): Promise<CommandBody> {
    const form = wordAt(list, 1);
    if (form === 'instance') return { kind: 'instance', name: name(list.items[2]), definition: name(list.items[3]) };
    return { kind: form === 'definition' ? 'definition' : 'module', source: await this.#source(list) };
  }

  // `(module definition? $name? (binary | quote)? …)`
  async #source(list: List, mayBeMalformed = false): Promise<ModuleSource> {
    let at = wordAt(list, 1) === 'definition' ? 2 : 1;
    const id = name(list.items[at]);
    if (id !== undefined) at++;
    const form = wordAt(list, at);
    if (form === 'binary' || form === 'quote') {
      const bytes = Buffer.concat(list.items.slice(at + 1).map((node) => (node.kind === 'string' ? node.bytes : new Uint8Array())));
      return { name: id, assembled: form === 'binary' ? { bytes: Uint8Array.from(bytes) } : await assemble(bytes, mayBeMalformed) };
    }
    const text = this.#text.slice(list.start, list.end);
    return { name: id, assembled: await assemble(wordAt(list, 1) === 'definition' ? text.replace('definition', '') : text, mayBeMalformed) };
  }
}

function readAction(node: Node | undefined): Action {
  const kind = headOf(node);
  if (node?.kind !== 'list' || (kind !== 'invoke' && kind !== 'get')) throw new SyntaxError(`'${kind}' is not an action`);
  const module = name(node.items[1]);
  const [field, ...args] = node.items.slice(module === undefined ? 1 : 2);
  return { kind, module, field: string(field), args: args.map(readValue) };
}

function wordAt(list: List, index: number): string | undefined {
  const node = list.items[index];
  return node?.kind === 'word' ? node.text : undefined;
}

function name(node: Node | undefined): string | undefined {
  return node?.kind === 'word' && node.text.startsWith('$') ? node.text : undefined;
}

function string(node: Node | undefined): string {
  if (node?.kind !== 'string') throw new SyntaxError('a string was expected');
  return FATAL_UTF8.decode(node.bytes);
}

/** Text to bytes, not validated. Who says that a text is malformed is the first of the assemblers only: the second also takes what the format lost. */
export async function assemble(text: string | Uint8Array, mayBeMalformed = false): Promise<Assembled> {
  let decoded: string;
  try {
    decoded = typeof text === 'string' ? text : FATAL_UTF8.decode(text);
  } catch {
    return { malformed: 'the text is not UTF-8' };
  }
  try {
    return { bytes: await parse(mayBeMalformed ? decoded : escaped(decoded)) };
  } catch (error) {
    if (!mayBeMalformed) {
      // Knows the folded form of legacy exceptions.
      const bytes = await wat(decoded).catch(() => undefined);
      if (bytes !== undefined) return { bytes };
    }
    return { malformed: /Custom\("(.*?)"\)/.exec(String(error))?.[1] ?? String(error) };
  }
}

// The assembler refuses characters that could be taken for others, which names may have. Outside of strings and comments none of these is valid anyway.
function escaped(text: string): string {
  return text.replace(/[^\x00-\x7f]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
