// Where the bytes of a module come from.
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { checkModuleBytes } from '../component/compile.ts';
import { describeValue, GloveportError } from '../errors.ts';

/** Bytes, or a file's path or `file:` URL. */
export type ByteSource = Uint8Array | ArrayBuffer | string | URL;

/**
 * The bytes of `source`, copied, so that nobody changes them while they are inspected.
 * @throws GloveportError MODULE_TOO_LARGE over `maximum` bytes (a larger file is not read), FILE_NOT_FOUND, IO_FAILED, INVALID_OPTION.
 */
export async function readSource(source: ByteSource, maximum: number): Promise<Uint8Array> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    checkModuleBytes(source.byteLength, maximum);
    const { buffer } = source instanceof ArrayBuffer ? { buffer: source } : source;
    if (buffer instanceof ArrayBuffer && buffer.detached) throw invalidSource('an ArrayBuffer that was transferred elsewhere');
    return source instanceof ArrayBuffer ? new Uint8Array(source.slice(0)) : new Uint8Array(source);
  }
  const path = pathOf(source);
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new GloveportError('IO_FAILED', `${describeValue(path)} is no regular file`, { path });
    checkModuleBytes(found.size, maximum);
    const bytes = await readFile(path);
    checkModuleBytes(bytes.length, maximum);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    throw error instanceof GloveportError ? error : fileError(path, error);
  }
}

function pathOf(source: string | URL): string {
  if (typeof source === 'string') return source;
  if (source instanceof URL && source.protocol === 'file:' && source.host === '') return fileURLToPath(source);
  throw invalidSource(source instanceof URL ? `the URL ${describeValue(source.href)}` : describeValue(source));
}

function invalidSource(found: string): GloveportError {
  return new GloveportError('INVALID_OPTION', `a module is given as bytes, a path or a file: URL, not ${found}`, { option: 'source' });
}

function fileError(path: string, error: unknown): GloveportError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new GloveportError('FILE_NOT_FOUND', `there is no file ${describeValue(path)}`, { path }, { cause: error });
  return new GloveportError('IO_FAILED', `the file ${describeValue(path)} cannot be read: ${code ?? 'unknown error'}`, { path, errno: code }, { cause: error });
}
