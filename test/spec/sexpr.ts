// The lexical layer of WebAssembly text (core specification, sections 6.2 and 6.3): tokens and nested parentheses, nothing of what they mean. Written
// without recursion, since scripts nest thousands of parentheses. Text modules are cut out by their offsets and left to the assembler.

export interface Word {
  readonly kind: 'word';
  readonly text: string;
  readonly start: number;
}

export interface Quoted {
  readonly kind: 'string';
  readonly bytes: Uint8Array;
  readonly start: number;
}

/** `[start, end)` is where it stands in the source, parentheses included. */
export interface List {
  readonly kind: 'list';
  readonly items: readonly Node[];
  readonly start: number;
  readonly end: number;
}

export type Node = Word | Quoted | List;

/** The expressions of a text, without comments and annotations. @throws SyntaxError with the line. */
export function readNodes(source: string): readonly Node[] {
  const outermost: Node[] = [];
  const open: { readonly items: Node[]; readonly start: number }[] = [];
  let items = outermost;
  let at = 0;
  for (;;) {
    at = skipSpace(source, at);
    if (at >= source.length) break;
    const start = at;
    const character = source[at];
    if (character === '(') {
      open.push({ items, start });
      items = [];
      at++;
    } else if (character === ')') {
      const list = open.pop();
      at++;
      if (list === undefined) throw new SyntaxError(`unopened ')' in line ${lineOf(source, start)}`);
      const closed: List = { kind: 'list', items, start: list.start, end: at };
      items = list.items;
      if (!isAnnotation(closed)) items.push(closed);
    } else if (character === '"') {
      at = endOfString(source, at);
      items.push({ kind: 'string', bytes: stringBytes(source.slice(start + 1, at - 1)), start });
    } else {
      at = endOfWord(source, at);
      const text = source.slice(start, at);
      if ((text === '$' || text === '@') && source[at] === '"') {
        const end = endOfString(source, at);
        items.push({ kind: 'word', text: text + UTF8.decode(stringBytes(source.slice(at + 1, end - 1))), start });
        at = end;
      } else {
        items.push({ kind: 'word', text, start });
      }
    }
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) throw new SyntaxError(`unclosed '(' in line ${lineOf(source, unclosed.start)}`);
  return outermost;
}

/** The line, from 1, of an offset. */
export function lineOf(source: string, offset: number): number {
  let line = 1;
  for (let at = source.indexOf('\n'); at >= 0 && at < offset; at = source.indexOf('\n', at + 1)) line++;
  return line;
}

/** The word that a list begins with. */
export function headOf(node: Node | undefined): string | undefined {
  const first = node?.kind === 'list' ? node.items[0] : undefined;
  return first?.kind === 'word' ? first.text : undefined;
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
const ENCODER = new TextEncoder();

function isAnnotation(list: List): boolean {
  const first = list.items[0];
  return first?.kind === 'word' && first.start === list.start + 1 && first.text.startsWith('@');
}

function skipSpace(source: string, at: number): number {
  for (;;) {
    const character = source[at];
    if (character === ' ' || character === '\n' || character === '\t' || character === '\r') {
      at++;
    } else if (character === ';' && source[at + 1] === ';') {
      while (at < source.length && source[at] !== '\n' && source[at] !== '\r') at++;
    } else if (character === '(' && source[at + 1] === ';') {
      at = endOfComment(source, at);
    } else {
      return at;
    }
  }
}

function endOfComment(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; ) {
    const pair = source.slice(at, at + 2);
    if (pair === '(;') depth++;
    if (pair === ';)') depth--;
    at += pair === '(;' || pair === ';)' ? 2 : 1;
    if (depth === 0) return at;
  }
  throw new SyntaxError(`unclosed comment in line ${lineOf(source, start)}`);
}

function endOfString(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === '"') return at + 1;
  }
  throw new SyntaxError(`unclosed string in line ${lineOf(source, start)}`);
}

// A lone semicolon is a word of its own; it occurs in annotations only.
function endOfWord(source: string, start: number): number {
  let at = start + 1;
  while (at < source.length && !' \n\t\r()";'.includes(source[at] as string)) at++;
  return at;
}

const ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, '"': 34, "'": 39, '\\': 92 };

// What stands between the quotes, to bytes: characters are UTF-8, `\hh` is a byte, `\u{h…}` a character.
function stringBytes(raw: string): Uint8Array {
  if (!raw.includes('\\')) return ENCODER.encode(raw);
  const bytes: number[] = [];
  const pattern = /\\u\{([0-9a-fA-F_]+)\}|\\([0-9a-fA-F]{2})|\\([tnr"'\\])|([^\\]+)/gy;
  let end = 0;
  for (const [all, character, byte, letter, plain] of raw.matchAll(pattern)) {
    end += all.length;
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else if (letter !== undefined) bytes.push(ESCAPES[letter] as number);
    else for (const code of ENCODER.encode(plain ?? String.fromCodePoint(Number.parseInt((character as string).replaceAll('_', ''), 16)))) bytes.push(code);
  }
  if (end !== raw.length) throw new SyntaxError(`unknown escape in the string "${raw.slice(0, 80)}"`);
  return Uint8Array.from(bytes);
}
