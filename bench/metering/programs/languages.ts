// Interpreters, each with a small program of its language.
import { readFile } from 'node:fs/promises';
import { language, packageFile, requireFrom, workFolder } from '../packages.ts';
import type { Program } from './program.ts';
import { command } from './wasi.ts';

const PHP = `<?php
function sieve($n) { $s = array_fill(0, $n + 1, true); for ($i = 2; $i * $i <= $n; $i++) if ($s[$i]) for ($j = $i * $i; $j <= $n; $j += $i) $s[$j] = false; return array_sum($s); }
$words = []; for ($i = 0; $i < 20000; $i++) { $w = md5("w" . ($i % 997)); $words[$w] = ($words[$w] ?? 0) + strlen(strrev($w)); }
ksort($words); echo sieve(200000), ' ', array_key_first($words), ' ', preg_match_all('/[a-f]{2}\\d/', implode(' ', array_keys($words))), "\\n";`;

const RUBY = `
def fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2)
words = Hash.new(0)
20_000.times { |i| words["w#{(i * 7919) % 997}"] += i }
puts fib(22), words.sort_by { |k, v| [-v, k] }.first(3).inspect, (1..20_000).select(&:even?).map { |x| x.to_s.reverse.to_i }.sum`;

const PYTHON = `
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
words = {}
for i in range(60000):
    key = f"w{(i * 7919) % 997}"
    words[key] = words.get(key, 0) + i
print(fib(21), sorted(words.items(), key=lambda item: (-item[1], item[0]))[:3], sum(int(str(x)[::-1]) for x in range(20000)))`;

const JAVASCRIPT = `
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
const words = new Map();
for (let i = 0; i < 60000; i++) { const key = 'w' + (i * 7919) % 997; words.set(key, (words.get(key) || 0) + i); }
const text = JSON.stringify([...words].sort((a, b) => b[1] - a[1]));
const result = [fib(22), text.length, text.replace(/w(\\d)/g, '$1-').length, JSON.parse(text).length].join(' ');`;

const LUA = `
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local words, keys = {}, {}
for i = 0, 60000 do local key = 'w' .. (i * 7919) % 997; words[key] = (words[key] or 0) + i end
for key in pairs(words) do keys[#keys + 1] = key end
table.sort(keys)
return fib(24) .. ' ' .. table.concat(keys, ','):gsub('w(%d)', '%1-')`;

const SQL = `
CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, (i * 7919) % 1009, 'row ' || i FROM n;
CREATE INDEX ta ON t(a);
SELECT a, count(*), max(b) FROM t WHERE b LIKE '%7%' GROUP BY a ORDER BY 2 DESC, 1 LIMIT 5;
SELECT count(*) FROM t x JOIN t y ON x.a = y.a WHERE x.id < 3000;`;

interface SqlJs {
  Database: new () => { exec(sql: string): unknown; close(): void };
}

interface QuickJs {
  newQuickJSWASMModule(): Promise<{ evalCode(code: string): string }>;
}

interface Wasmoon {
  LuaFactory: new (glue: string) => { createEngine(): Promise<{ doStringSync(code: string): string }> };
}

export const languages: readonly Program[] = [
  {
    name: 'php (runno)',
    async prepare() {
      const folder = await workFolder('php', { 'script.php': PHP });
      return command({ bytes: await module('php-cgi-8.2.0.wasm'), args: ['php-cgi', '-q', '/app/script.php'], preopens: { '/app': folder } });
    },
  },
  {
    name: 'ruby (runno)',
    async prepare() {
      return command({ bytes: await module('ruby-3.2.0.wasm'), args: ['ruby', '--disable-gems', '-e', RUBY] });
    },
  },
  {
    name: 'python (runno)',
    async prepare() {
      const folder = await workFolder('python', { 'script.py': PYTHON }, language('python-3.11.3.tar.gz'));
      const preopens = { '/': folder };
      return command({ bytes: await module('python-3.11.3.wasm'), args: ['python', '/script.py'], env: { PYTHONHASHSEED: '0' }, preopens });
    },
  },
  {
    name: 'quickjs (runno)',
    async prepare() {
      const folder = await workFolder('quickjs', { 'script.js': `${JAVASCRIPT} print(result);` });
      return command({ bytes: await module('wasmedge_quickjs.wasm'), args: ['quickjs', '/app/script.js'], preopens: { '/app': folder } });
    },
  },
  {
    name: 'sqlite (runno)',
    async prepare() {
      const folder = await workFolder('sqlite', { 'script.sql': SQL });
      const args = ['sqlite', ':memory:', '.read /app/script.sql'];
      return command({ bytes: await module('sqlite.wasm'), args, preopens: { '/app': folder }, version: 'unstable' });
    },
  },
  {
    name: 'sql.js',
    async prepare() {
      const sql = await requireFrom<() => Promise<SqlJs>>('sql.js')();
      return {
        run() {
          const database = new sql.Database();
          const result = database.exec(SQL);
          database.close();
          return result;
        },
      };
    },
  },
  {
    name: 'quickjs-emscripten',
    async prepare() {
      const quickjs = await requireFrom<QuickJs>('quickjs-emscripten').newQuickJSWASMModule();
      return { run: () => quickjs.evalCode(`${JAVASCRIPT} result`) };
    },
  },
  {
    name: 'wasmoon (Lua)',
    async prepare() {
      const { LuaFactory } = requireFrom<Wasmoon>('wasmoon');
      const lua = await new LuaFactory(packageFile('wasmoon', 'dist/glue.wasm')).createEngine();
      return { run: () => lua.doStringSync(LUA) };
    },
  },
];

async function module(file: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(language(file)));
}
