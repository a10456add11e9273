// Makes the JavaScript that the transpiler generates fit to run beside untrusted code. It is lax where an attacker looks: list lengths are not bounded,
// slices wrap around, forged handles pass. Each edit below closes one such place by a call of a `$`-named helper (see `guards.ts`), which no name of a
// guest's can hide. An edit that no longer matches what it was written for fails loudly instead of leaving its place open.
import { GloveportError } from '../errors.ts';

interface Edit {
  /** What the edit is for; named in the error when it does not fit. */
  readonly purpose: string;
  readonly pattern: RegExp;
  readonly replacement: string;
  /** How often the pattern has to be there: always, or only when the component uses the feature. */
  readonly matches: 'once' | 'at most once' | 'any number';
  /** What may not be left, outside of string literals, once the edit is done. */
  readonly leaves?: RegExp;
}

const EDITS: readonly Edit[] = [
  {
    purpose: 'the entry point is returned instead of exported',
    pattern: /^export function instantiate\(/m,
    replacement: 'return function instantiate(',
    matches: 'once',
  },
  {
    purpose: 'utilities are not exported',
    pattern: /^export const _util = \{\s*\}\s*$/m,
    replacement: '',
    matches: 'at most once',
    leaves: /^\s*(?:export|import)\b/m,
  },
  {
    purpose: 'lists are charged before they are lifted',
    pattern: /for \(let i = 0; i < (len\d+); i\+\+\) \{\s*const base = (base\d+) \+ i \* (\d+);/g,
    replacement: '$$elements($1, $3); for (let i = 0; i < $1; i++) { const base = $2 + i * $3;',
    matches: 'any number',
    leaves: /(?<!\$elements\(len\d+, \d+\); )for \(let i = 0; i < len\d/,
  },
  {
    purpose: 'lists of numbers are copied within bounds',
    pattern: /(\w+(?:\.\w+)?)\.buffer\.slice\((ptr\d+), \2 \+ (len\d+) \* (\d+)\)/g,
    replacement: '$$slice($1, $2, $3, $4)',
    matches: 'any number',
    leaves: /\.buffer\.slice\(/,
  },
  {
    purpose: 'copies between memories are charged',
    pattern: /(function trampoline\d+ ?\(from_ptr, len, to_ptr\) \{)/g,
    replacement: '$1 $$bytes(len);',
    matches: 'any number',
    leaves: /\(from_ptr, len, to_ptr\) \{(?! \$bytes)/,
  },
  {
    purpose: 'a handle that is borrowed exists',
    pattern: /(handleTable\d+)\[\((\w+) << 1\) \+ 1\] & ~T_FLAG/g,
    replacement: '$$entry($1, $2) & ~T_FLAG',
    matches: 'any number',
    leaves: /handleTable\d+\[\(\w+ << 1\) \+ 1\](?! & T_FLAG\) === 0)/,
  },
  {
    purpose: 'a handle that is looked up or dropped exists',
    pattern: /(function rscTable(?:Get|Remove)\(table, handle\) \{)/g,
    replacement: '$1 $$entry(table, handle);',
    matches: 'any number',
  },
  {
    purpose: 'handles are counted',
    pattern: /(function rscTableCreateOwn\(table, rep\) \{)/,
    replacement: '$1 $$created(table);',
    matches: 'at most once',
  },
  {
    // Each resource would carry a function that runs the guest's destructor out of the meter's reach; see FinalizationRegistry in `guards.ts`.
    purpose: "a guest's resources are dropped by calls of their own",
    pattern: /(Object\.defineProperty\(\w+, )symbolDispose(, \{ writable: true, value: function)|(\w+\[)symbolDispose(\] = emptyFunc;)/g,
    replacement: '$1$3$$drop$2$4',
    matches: 'any number',
    leaves: /Object\.defineProperty\(\w+, symbolDispose|\[symbolDispose\] =/,
  },
  {
    purpose: 'errors of results are of the public class',
    pattern: /^(\s*)class ComponentError extends Error \{/m,
    replacement: '$1class TranspiledComponentError extends Error {',
    matches: 'at most once',
  },
  {
    purpose: 'each call of an import has the host bytes to itself',
    pattern: /(function _lowerImportBackwardsCompat\(args\) \{)/,
    replacement: '$1 $$crossing();',
    matches: 'at most once',
  },
  {
    purpose: "errors of the host's resources stop the guest",
    pattern: /(function _trackHostOperation\(operation\) \{)/,
    replacement: '$1 operation = $$host(operation);',
    matches: 'at most once',
  },
  {
    purpose: 'nothing is collected for a log that is never written',
    pattern: /(?<![\w$])_debugLog\(/g,
    replacement: 'false && _debugLog(',
    matches: 'any number',
  },
  {
    // It awaits nothing, and what it throws would end the process as an unhandled rejection.
    purpose: 'the end of a task is synchronous',
    pattern: /async (function _clearCurrentTask\()/,
    replacement: '$1',
    matches: 'at most once',
  },
];

// Reps are only ever looked up when resources move between nested components; otherwise the set of them would just grow.
const UNUSED_REPS: Edit = {
  purpose: 'reps that nobody looks up are not kept',
  pattern: /table\._createdReps\.add\(rep\);/,
  replacement: '',
  matches: 'at most once',
};

/** Everything that is done to the generated source, as text; part of the cache's key. */
export const GLUE_VERSION: string = [...EDITS, UNUSED_REPS].map(({ pattern, replacement }) => `${pattern} ${replacement}`).join('\n');

/**
 * The generated source as the body of a function that returns `instantiate`. Its free names are those of `scope.ts` and `guards.ts`.
 * @throws GloveportError INTERNAL when the transpiler's output is not what the edits were written for, UNSUPPORTED_FEATURE for imports with names of its own.
 */
export function hardenGlue(generated: string): string {
  refuseHiddenImports(generated);
  const edits = generated.includes('_createdReps.has(') ? EDITS : [...EDITS, UNUSED_REPS];
  return edits.reduce(apply, generated);
}

function apply(source: string, { purpose, pattern, replacement, matches, leaves }: Edit): string {
  const found = source.match(new RegExp(pattern, pattern.global ? pattern.flags : `${pattern.flags}g`))?.length ?? 0;
  const fits = matches === 'any number' || found === 1 || (found === 0 && matches === 'at most once');
  if (!fits) throw misfit(purpose, `its pattern is there ${found} times`);
  const edited = source.replace(pattern, replacement);
  if (leaves?.test(withoutStrings(edited))) throw misfit(purpose, 'a place was left');
  return edited;
}

// Numbered names are the transpiler's own. Where it declares one that an import has too, that hides the import, and something else would be called.
function refuseHiddenImports(source: string): void {
  for (const [, members, only] of source.matchAll(/^\s*const (?:\{ ([^}]*) \}|(\w+)) = imports\b/gm)) {
    for (const member of (members ?? (only as string)).split(',')) {
      const name = member.slice(member.indexOf(':') + 1).trim();
      if (!/^[A-Za-z]+\d+$/.test(name) || !new RegExp(`\\b(?:var|let|const|function|class) ${name}\\b(?! = imports)|[(,] ?${name}[,)]`).test(source)) continue;
      throw new GloveportError('UNSUPPORTED_FEATURE', `the component imports '${name}', a name that the transpiler uses itself`, {
        feature: `imports called ${name}`,
      });
    }
  }
}

// Literals hold names of the guest's, which may look like code.
function withoutStrings(source: string): string {
  return source.replace(/'[^'\n]*'|"[^"\n]*"/g, "''");
}

function misfit(purpose: string, why: string): GloveportError {
  return new GloveportError('INTERNAL', `the transpiler's output is not as expected: '${purpose}' does not apply, ${why}`, { edit: purpose });
}
