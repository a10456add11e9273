// Ruby 3.2, which carries its standard library inside, and PHP 8.2, on directories of both kinds: what their scripts print, how they end, what they leave.
import { describe, expect, test } from 'vitest';
import { filesOf } from '../files.ts';
import { MOUNT_KINDS, makeHost } from '../support.ts';
import { directoryOf, run, runtime, script } from './programs.ts';

const ruby = { module: await runtime('ruby-3.2.0.wasm'), command: ['ruby', '/script/main', '/work'], script: 'ruby/tree.rb' };
const php = { module: await runtime('php-cgi-8.2.0.wasm'), command: ['php-cgi', '-q', '/script/main'], script: 'php/tree.php' };

describe.each(MOUNT_KINDS)('on a %s directory', (kind) => {
  test.each([
    ['Ruby', ruby, { exitCode: 3, stderr: 'done\n' }, ['copied', 'data.bin', 'link', 'many', 'moved']],
    ['PHP', php, { exitCode: 5, stderr: '' }, ['many', 'table.csv', 'test.db', 'test.db.lock']],
  ] as const)('%s computes as anywhere and works on many files', async (_, program, end, left) => {
    const source = await script(program.script);
    const work = directoryOf(kind);
    const result = await run(program.module, { args: program.command, mounts: { '/script': directoryOf(kind, { main: source }), '/work': work } });
    expect(result).toEqual({ ...end, stdout: await script(program.script.replace(/\w+$/, 'txt')) });
    const files = filesOf(makeHost({ mounts: { '/': work } }).host, '0.2');
    expect(files.list('.')).toEqual(left);
    expect(files.read('many/d9/f99.txt')).toBe('x'.repeat(99));
  });
});
