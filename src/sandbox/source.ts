// Where the bytes of a module come from.
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describeValue, GloveportError } from '../errors.ts';

/** Bytes, or a file's path or `file:` URL. */
export type ByteSource = Uint8Array | ArrayBuffer | string | URL;

/**
 * The bytes of `source`, copied, so that nobody changes them while they are inspected.
 * @throws GloveportError MODULE_TOO_LARGE over `maximum` bytes (a larger file is not read), FILE_NOT_FOUND, IO_FAILED, INVALID_OPTION.
 */
export async function readSource(source: ByteSource, maximum: number): Promise<Uint8Array> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    checkSize(source.byteLength, maximum);
    return source instanceof ArrayBuffer ? new Uint8Array(source.slice(0)) : new Uint8Array(source);
  }
  const path = pathOf(source);
  try {
    const { size } = await stat(path);
    checkSize(size, maximum);
    const bytes = await readFile(path);
    checkSize(bytes.length, maximum);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    throw error instanceof GloveportError ? error : fileError(path, error);
  }
}

function pathOf(source: string | URL): string {
  if (typeof source === 'string') return source;
  if (source instanceof URL && source.protocol === 'file:') return fileURLToPath(source);
  const found = source instanceof URL ? `a URL of ${source.protocol}` : describeValue(source);
  throw new GloveportError('INVALID_OPTION', `a module is given as bytes, a path, a file: URL or a Module, not ${found}`, { option: 'source' });
}

function checkSize(size: number, maximum: number): void {
  if (size <= maximum) return;
  throw new GloveportError('MODULE_TOO_LARGE', `the module has ${size} bytes, over limits.moduleBytes of ${maximum}`, {
    limit: 'moduleBytes',
    value: size,
    maximum,
  });
}

function fileError(path: string, error: unknown): GloveportError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new GloveportError('FILE_NOT_FOUND', `there is no file ${describeValue(path)}`, { path }, { cause: error });
  return new GloveportError('IO_FAILED', `the file ${describeValue(path)} cannot be read: ${code ?? 'unknown error'}`, { path, code }, { cause: error });
}
