// Makes the JavaScript that the transpiler generates fit to run beside untrusted code. It is lax where an attacker looks: list lengths are not bounded,
// slices wrap around, forged handles pass. Each edit below closes one such place by a call of a `$`-named helper (see `guards.ts`), which no name of a
// guest's can hide. An edit that no longer matches what it was written for fails loudly instead of leaving its place open.
import { GloveportError } from '../errors.ts';
import { ELEMENTS_AT_ONCE } from './guards.ts';
import { GLOBAL_NAMES } from './scope.ts';

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
    replacement: `$$elements($1, $3); for (let i = 0; i < $1; i++) { if (i % ${ELEMENTS_AT_ONCE} === 0) $$lift($1 - i, $3); const base = $2 + i * $3;`,
    matches: 'any number',
    leaves: /(?<!\$elements\(len\d+, \d+\); )for \(let i = 0; i < len\d/,
  },
  {
    purpose: 'lists of numbers are copied within bounds',
    pattern: /(?<!\w)(\w+(?:\.\w+)?)\.buffer\.slice\((ptr\d+), \2 \+ (len\d+) \* (\d+)\)/g,
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
    pattern: /(Object\.defineProperty\(\w+, )symbolDispose(, \{ writable: true, value: function)|(?<!\w)(\w+\[)symbolDispose(\] = emptyFunc;)/g,
    replacement: '$1$3$$drop$2$4',
    matches: 'any number',
    leaves: /Object\.defineProperty\(\w+, symbolDispose|\[symbolDispose\] =/,
  },
  {
    purpose: 'the task of an exported function stays the current one while the guest is suspended, see steps()',
    pattern: /(?=function _withGlobalCurrentTaskMeta\(args\) \{)/,
    replacement: `function $$enter(task) {
      const componentIdx = task.componentIdx();
      const outer = { componentIdx, own: CURRENT_TASK_META[componentIdx] ?? null, current: CURRENT_TASK_META.current ?? null };
      CURRENT_TASK_META.current = CURRENT_TASK_META[componentIdx] = { taskID: task.id(), componentIdx };
      return outer;
    }
    function $$leave({ componentIdx, own, current }) {
      CURRENT_TASK_META[componentIdx] = own;
      CURRENT_TASK_META.current = current;
    }
    `,
    matches: 'at most once',
  },
  {
    // It is called again, and a guest may have room for one result only.
    purpose: 'what a host function returns that has to wait first is not lowered',
    pattern: /(?<!let )curResourceBorrows = \[\];/g,
    replacement: '$& if ($$waiting()) { task.resolve([undefined]); task.exit(); return; }',
    matches: 'any number',
    leaves: /(?<!let )curResourceBorrows = \[\];(?! if \(\$waiting)/,
  },
  {
    purpose: 'errors of results are of the public class',
    pattern: /^(\s*)class ComponentError extends Error \{/m,
    replacement: '$1class TranspiledComponentError extends Error {',
    matches: 'at most once',
  },
  {
    // All else that it does, and the tasks of imports below, is the bookkeeping of asynchronous components, which are refused.
    purpose: 'a call of an import is checked, has the host bytes to itself, and goes straight to the import',
    pattern: /(function _lowerImportBackwardsCompat\(args)(\) \{)/,
    replacement: '$1, ...values$2 $$crossing(); _checkMayLeave(args.componentIdx); return args.importFn(...values);',
    matches: 'at most once',
  },
  {
    purpose: 'a call of an import is no task of its own',
    pattern: /let parentTask;\s*let task;\s*let subtask;\s*const createTask = (?:(?!const started)[\s\S])*?const started = task\.enterSync\(\);/g,
    replacement: 'const task = $$noTask;',
    matches: 'any number',
    leaves: /const createTask =/,
  },
  {
    purpose: 'a call of an import does not change the current task',
    pattern:
      /_withGlobalCurrentTaskMeta\(\{\s*componentIdx: task\.componentIdx\(\),\s*taskID: task\.id\(\),\s*fn: \(\) => (_trackHostOperation\([\s\S]*?\)),\s*\}\)(?!\))/g,
    replacement: '$1',
    matches: 'any number',
    leaves: /_withGlobalCurrentTaskMeta\(\{\s*componentIdx: task/,
  },
  {
    // An err is thrown. What is returned is the ok side, also when it is a variant with cases of these names.
    purpose: 'what a host function returns is the ok side of its result',
    pattern:
      /(hostRet\d+) !== null && typeof \1 === 'object' && (?:false|\(\1\.tag === 'ok' \|\| \1\.tag === 'err'\))\s*\? \1\s*: (?=\{ tag: 'ok', val: \1\})/g,
    replacement: '',
    matches: 'any number',
    leaves: /hostRet\d+\.tag\b/,
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

/** Raise it with every change of {@link steps}: the text of a function is not the same in every build. */
const STEPS_VERSION = 'steps 1';

/** Everything that is done to the generated source, as text; part of the cache's key. */
export const GLUE_VERSION: string = [...[...EDITS, UNUSED_REPS].map(({ pattern, replacement }) => `${pattern} ${replacement}`), STEPS_VERSION].join('\n');

/**
 * The generated source as the body of a function that returns `instantiate`. Its free names are those of `scope.ts` and `guards.ts`.
 * @throws GloveportError INTERNAL when the transpiler's output is not what the edits were written for, UNSUPPORTED_FEATURE for imports and exports with names of its own.
 */
export function hardenGlue(generated: string): string {
  refuseHiddenImports(generated);
  const edits = generated.includes('_createdReps.has(') ? EDITS : [...EDITS, UNUSED_REPS];
  const edited = edits.reduce(apply, generated);
  refuseHidingExports(edited);
  return steps(edited);
}

function apply(source: string, { purpose, pattern, replacement, matches, leaves }: Edit): string {
  const found = source.match(new RegExp(pattern, pattern.global ? pattern.flags : `${pattern.flags}g`))?.length ?? 0;
  const fits = matches === 'any number' || found === 1 || (found === 0 && matches === 'at most once');
  if (!fits) throw misfit(purpose, `its pattern is there ${found} times`);
  const edited = source.replace(pattern, replacement);
  if (leaves?.test(withoutStrings(edited))) throw misfit(purpose, 'a place was left');
  return edited;
}

// Makes generators of exported functions, which stand still where they call the guest: whoever runs one calls the guest, at once or so that it can be suspended
// there. Constructors can not be generators, and call it themselves.
function steps(source: string): string {
  const lines = source.split('\n');
  for (const [start, line] of lines.entries()) {
    const indentation = /^( *)return _withGlobalCurrentTaskMeta\(\{$/.exec(line)?.[1];
    if (indentation === undefined || lines[start + 1]?.trim() !== 'taskID: task.id(),') continue;
    const opening = new RegExp(`^ {${indentation.length - 2}}\\S.*\\{$`);
    let head = start - 1;
    while (head >= 0 && !opening.test(lines[head] as string)) head--;
    const end = lines.indexOf(`${indentation}});`, start);
    const [name = '', last = ''] = [lines[head], lines[end - 1]];
    if (/^ *constructor\(/.test(name)) continue;
    const body = lines
      .slice(start + 4, end - 1)
      .join('\n')
      .split(GUEST_CALL);
    if (!/^ *(?:[\w$.]+ = )?function [\w$]+\(/.test(name) || lines[start + 3]?.trim() !== 'fn: () => {' || last.trim() !== '},' || body.length !== 4) {
      throw misfit('exported functions leave the call of the guest to who runs them', 'a function is not as it should be');
    }
    const [before, core, values, after] = body;
    lines[head] = name.replace('function ', 'function* ');
    lines.fill('', start, end + 1);
    lines[start] = `const $outer = $enter(task); try {\n${before}yield [${core}, [${values}]]${after}\n} finally { $leave($outer); }`;
  }
  return lines.join('\n');
}

const GUEST_CALL = /_withGlobalCurrentTaskMeta\(\{\s*taskID: task\.id\(\),\s*componentIdx: task\.componentIdx\(\),\s*fn: \(\) => ([\w$]+)\((.*)\),\s*\}\)/;

// Numbered names are the transpiler's own. Where it declares one that an import has too, that hides the import, and something else would be called.
function refuseHiddenImports(source: string): void {
  const own = new Set<string>();
  const rest = source.replace(IMPORTING, '');
  for (const [, name] of rest.matchAll(/\b(?:var|let|const|function|class) ([A-Za-z]+\d+)\b/g)) own.add(name as string);
  for (const [, name] of rest.matchAll(/(?<=[(,] ?)(?<!\w)([A-Za-z]+\d+)(?=[,)])/g)) own.add(name as string);
  for (const [, members, only] of source.matchAll(IMPORTING)) {
    for (const member of (members ?? (only as string)).split(',')) {
      const name = member.slice(member.indexOf(':') + 1).trim();
      if (!own.has(name)) continue;
      throw new GloveportError('UNSUPPORTED_FEATURE', `the component imports '${name}', a name that the transpiler uses itself`, {
        feature: `imports called ${name}`,
      });
    }
  }
}

const LITERALS_AND_COMMENTS = /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
const IMPORTING = /^[ \t]*const (?:\{ ([^}]*) \}|([\w$]+)) = imports\b.*$/gm;

// The functions and classes of exports are declared inside of the scope of the helpers, the imports and the intrinsics. One with the name of these hides them
// from the glue around it, which would call the guest instead. Where nothing but the list of exports uses the name, that does not matter.
function refuseHidingExports(source: string): void {
  const code = source.replace(LITERALS_AND_COMMENTS, "''");
  const start = code.search(/^[ \t]*let [\w$]+ ?= ?\(function\* _initGenerator/m);
  const outer = new Set([...GLOBAL_NAMES, ...helperNames(code.slice(0, Math.max(start, 0)))]);
  const scope = code.slice(start);
  const declared = new Set<string>();
  for (const [, kind, name] of scope.matchAll(/^[ \t]*(?:async )?(function|class) ([A-Za-z][A-Za-z0-9]*)[ \t]*[({]/gm) as Iterable<[string, string, string]>) {
    const hides = outer.has(name) && isUsed(scope, kind, name);
    if (!hides && !declared.has(name)) {
      declared.add(name);
      continue;
    }
    throw new GloveportError('UNSUPPORTED_FEATURE', `the component exports '${name}', a name that the transpiler uses itself`, {
      feature: `exports called ${name}`,
    });
  }
}

// What is declared directly inside of `instantiate`, before the scope of exports.
function helperNames(prelude: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token, name] of prelude.matchAll(/[{}]|\b(?:var|let|const|function\*?|class) ([\w$]+)/g)) {
    if (token === '{') depth++;
    else if (token === '}') depth--;
    else if (depth === 1) names.push(name as string);
  }
  if (depth !== 1) throw misfit('exports hide no names', 'their scope is not where it should be');
  return names;
}

// A function's own uses are its declaration and its place in the list of exports; of a class there are more, all of which name its prototype.
function isUsed(scope: string, kind: string, name: string): boolean {
  const uses = scope.match(new RegExp(`(?<![\\w$.])${name}(?![\\w$:])${kind === 'class' ? '(?!\\.prototype)' : ''}`, 'g'));
  return (uses?.length ?? 0) > 2;
}

// Literals hold names of the guest's, which may look like code.
function withoutStrings(source: string): string {
  return source.replace(/'[^'\n]*'|"[^"\n]*"/g, "''");
}

function misfit(purpose: string, why: string): GloveportError {
  return new GloveportError('INTERNAL', `the transpiler's output is not as expected: '${purpose}' does not apply, ${why}`, { edit: purpose });
}
