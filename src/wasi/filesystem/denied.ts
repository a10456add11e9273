// Denied paths: absolute paths of the guest, or patterns for them, that are closed with all below them. A walk carries a state from name to name, so that
// each name is looked at once, however many patterns there are and whatever they hold: the cost is the product of name and pattern, never more.
import { describeValue, GloveportError } from '../../errors.ts';

/** Where a path stands in the patterns: what of them is still to come. Equal paths of patterns are equal lists. */
export type Denial = readonly number[];

/** The state of a path below which nothing is denied. */
const NOTHING: Denial = Object.freeze([]);

/** One name of a pattern: a matcher, or a run of any number of names. */
type Part = ((name: Name) => boolean) | typeof ANY_NAMES | typeof END;
const ANY_NAMES = Symbol('**');
const END = Symbol('end');

/**
 * Gives `patterns` back when all of them are patterns for denied paths.
 * @throws GloveportError INVALID_OPTION for one that is not absolute, holds '.', '..' or NUL, or `**` beside other text in one name.
 */
export function checkDenyPaths(patterns: readonly string[]): readonly string[] {
  patterns.forEach(parse);
  return patterns;
}

/**
 * What is denied in the guest's whole tree, by absolute paths in which `*` stands for any text within a name, `?` for one character, and the name `**` for any
 * number of names, none included; at the end it asks for at least one. There is no way to write these characters themselves; they match themselves as well.
 * A name matches in any case and composition, since file systems differ in what they take for the same.
 */
export class DeniedPaths {
  readonly #parts: readonly Part[];
  /** The state of '/', undefined when that is denied itself. */
  readonly root: Denial | undefined;

  // Positions are numbers into one list of the parts of all patterns, each with an end of its own.
  constructor(patterns: readonly string[]) {
    const parsed = patterns.map(parse);
    this.#parts = parsed.flatMap((parts) => [...parts, END]);
    let start = 0;
    const starts = parsed.map((parts) => {
      const own = start;
      start += parts.length + 1;
      return own;
    });
    this.root = this.#states(starts);
  }

  /** The state of `name` below a directory in `state`; undefined when it is denied. */
  step(state: Denial, name: string): Denial | undefined {
    if (state.length === 0) return NOTHING;
    const looked = new Name(name);
    const next: number[] = [];
    for (const position of state) {
      const part = this.#parts[position];
      if (part === ANY_NAMES) next.push(position);
      else if (typeof part === 'function' && part(looked)) next.push(position + 1);
    }
    return this.#states(next);
  }

  /** The state of an absolute guest path, without '.' and '..'; undefined when it or a directory above it is denied. */
  at(path: string): Denial | undefined {
    let state = this.root;
    for (const name of path.split('/')) if (state !== undefined && name !== '') state = this.step(state, name);
    return state;
  }

  /** Whether the same is denied below two paths: what is moved from one to the other is then denied as before. */
  static equal(one: Denial, other: Denial): boolean {
    return one.length === other.length && one.every((position, index) => position === other[index]);
  }

  // A run of any names may be empty, so that what follows it is a place as well.
  #states(positions: readonly number[]): Denial | undefined {
    const all = new Set<number>();
    for (const position of positions) {
      let at = position;
      all.add(at);
      while (this.#parts[at] === ANY_NAMES) all.add(++at);
    }
    if ([...all].some((position) => this.#parts[position] === END)) return undefined;
    return all.size === 0 ? NOTHING : [...all].sort((one, other) => one - other);
  }
}

function parse(pattern: string): Part[] {
  const names = typeof pattern === 'string' && pattern.startsWith('/') ? pattern.split('/').filter((name) => name !== '') : undefined;
  if (names?.every((name) => name !== '.' && name !== '..' && !name.includes('\0') && (name === '**' || !name.includes('**'))) !== true) {
    throw new GloveportError(
      'INVALID_OPTION',
      `denyPaths takes absolute paths of the guest without '.' and '..', in which '**' is a whole name, not ${describeValue(pattern)}`,
      { option: 'denyPaths', path: pattern },
    );
  }
  // At the end it asks for at least one name: with none it would say no more than the path before it.
  return names.map((name, index) => (name !== '**' ? matcher(name) : index < names.length - 1 ? ANY_NAMES : matcher('*')));
}

/** A name of a path in the two forms that are compared: a file system may take either for the same file. */
class Name {
  readonly text: string;
  #folded: string | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get folded(): string {
    this.#folded ??= fold(this.text);
    return this.#folded;
  }
}

function matcher(pattern: string): (name: Name) => boolean {
  const folded = fold(pattern);
  if (!/[*?]/.test(pattern)) return (name) => name.text === pattern || name.folded === folded;
  const [exact, loose] = [[...pattern], [...folded]];
  return (name) => matches(exact, [...name.text]) || matches(loose, [...name.folded]);
}

// Twins in case, in composition and in what is not seen count as the same name everywhere: which of them a file system keeps apart is not known here, and
// what is denied has to be denied under all of them.
function fold(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase();
  return name.normalize('NFKD').toLowerCase().toUpperCase().toLowerCase().replace(UNSEEN, '').normalize('NFKC');
}

const ASCII = /^[\0-\x7f]*$/;
const UNSEEN = /\p{Default_Ignorable_Code_Point}/gu;

// Goes back to the last star only: the one before it never has to take more.
function matches(pattern: readonly string[], name: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let taken = 0;
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      taken = index;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[index])) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      at = star + 1;
      index = ++taken;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
