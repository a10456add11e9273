// A view of a store that changes nothing: every change is 'read-only', whatever is behind it.
import type { BackingDirectory, BackingFile, DirectoryEntry, FileStat, OpenAccess } from './backing.ts';
import { fail } from './errors.ts';

export class ReadOnlyDirectory implements BackingDirectory {
  readonly #inner: BackingDirectory;

  /** Takes over `inner`. */
  constructor(inner: BackingDirectory) {
    this.#inner = inner;
  }

  stat(): FileStat {
    return this.#inner.stat();
  }

  entries(pay: (count: number) => void): DirectoryEntry[] {
    return this.#inner.entries(pay);
  }

  reopen(): BackingDirectory {
    return new ReadOnlyDirectory(this.#inner.reopen());
  }

  descend(names: readonly string[]): BackingDirectory[] {
    return this.#inner.descend(names).map((directory) => new ReadOnlyDirectory(directory));
  }

  lookup(name: string): FileStat | undefined {
    return this.#inner.lookup(name);
  }

  openFile(name: string, access: OpenAccess): BackingFile {
    if (access.write || access.create) fail('read-only');
    return new ReadOnlyFile(this.#inner.openFile(name, access));
  }

  readLink(name: string): string {
    return this.#inner.readLink(name);
  }

  close(): void {
    this.#inner.close();
  }

  sync(): void {}

  setTimes(): never {
    return fail('read-only');
  }

  setTimesOf(): never {
    return fail('read-only');
  }

  createDirectory(): never {
    return fail('read-only');
  }

  createLink(): never {
    return fail('read-only');
  }

  removeDirectory(): never {
    return fail('read-only');
  }

  removeFile(): never {
    return fail('read-only');
  }

  link(): never {
    return fail('read-only');
  }

  rename(): never {
    return fail('read-only');
  }
}

class ReadOnlyFile implements BackingFile {
  readonly #inner: BackingFile;

  constructor(inner: BackingFile) {
    this.#inner = inner;
  }

  stat(): FileStat {
    return this.#inner.stat();
  }

  size(): number {
    return this.#inner.size();
  }

  read(target: Uint8Array, position: number): number {
    return this.#inner.read(target, position);
  }

  close(): void {
    this.#inner.close();
  }

  sync(): void {}

  write(): never {
    return fail('read-only');
  }

  setSize(): never {
    return fail('read-only');
  }

  setTimes(): never {
    return fail('read-only');
  }
}
