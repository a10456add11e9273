// A memfs volume to stand a memory directory on. Looks things up in memfs's own tree of links and nodes, where names are looked up in maps instead of whole
// paths being resolved for each step, and gets round what memfs does not do: a file whose last name is removed keeps its number as long as it is open,
// and removed directories are given back.
import { memfs, Volume as Memfs } from 'memfs';
import type { DirectoryEntry, FileStat, FileType } from './backing.ts';
import { fail } from './errors.ts';
import type { Volume, VolumeDirectory, VolumeFile } from './volume.ts';

export { Memfs };

type Core = Memfs['_core'];
type Link = Core['root'];
type Node = ReturnType<Link['getNode']>;

/** An empty volume. */
export function emptyMemfs(): Memfs {
  const { vol } = memfs({}, { cwd: '/', process: NOBODY as never });
  // Each guest's handles are bounded; a bound for all of them together would let one keep the others out.
  vol._core.maxFiles = Infinity;
  return vol;
}

// memfs asks these of the process otherwise.
const NOBODY = { getuid: () => 0, getgid: () => 0, cwd: () => '/', platform: 'linux', emitWarning: () => {}, env: {} };

export class MemfsVolume implements Volume {
  readonly fs: Memfs;

  constructor(fs: Memfs) {
    this.fs = fs;
  }

  root(): VolumeDirectory {
    return new MemfsDirectory(this.fs._core, this.fs._core.root);
  }

  unlink(path: string, { inode, links }: FileStat, open: boolean): void {
    const node = this.fs._core.inodes[Number(inode)];
    // Otherwise the number would go to the next file that is made.
    if (open && links === 1n && node) node.nlink += 1;
    this.fs.unlinkSync(path);
  }

  removeDirectory(path: string, { inode }: FileStat): void {
    const node = this.fs._core.inodes[Number(inode)];
    this.fs.rmdirSync(path);
    if (node) forget(this.fs._core, node);
  }

  rename(from: string, to: string): void {
    this.fs.renameSync(from, to);
  }
}

class MemfsDirectory implements VolumeDirectory {
  readonly #core: Core;
  readonly #link: Link;

  constructor(core: Core, link: Link) {
    this.#core = core;
    this.#link = link;
  }

  path(): string {
    for (let link = this.#link; link !== this.#core.root; link = link.parent as Link) {
      if (link.parent?.children.get(link.getName()) !== link) fail('no-entry');
    }
    return this.#link.getPath();
  }

  stat(): FileStat {
    return statOf(this.#link.getNode());
  }

  lookup(name: string): FileStat | undefined {
    const link = this.#link.children.get(name);
    return link && statOf(link.getNode());
  }

  count(): number {
    // Among them are '.' and '..', of which a removed directory has one.
    return Math.max(0, this.#link.children.size - 2);
  }

  entries(): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    for (const [name, link] of this.#link.children) {
      if (link && name !== '.' && name !== '..') entries.push({ name, type: typeOf(link.getNode()) });
    }
    return entries;
  }

  child(name: string): VolumeDirectory | undefined {
    const link = this.#link.children.get(name) ?? fail('no-entry');
    return link.getNode().isDirectory() ? new MemfsDirectory(this.#core, link) : undefined;
  }

  open(name: string, write: boolean): VolumeFile {
    const link = this.#link.children.get(name) ?? fail('no-entry');
    const { fd, node } = this.#core.openLink(link, write ? O_RDWR : O_RDONLY, false);
    return { fd, size: () => node.getSize(), capacity: () => capacityOf(node), stat: () => statOf(node), forget: () => forget(this.#core, node) };
  }

  reopen(): VolumeDirectory {
    return this;
  }

  close(): void {}
}

// memfs has its own constants, which are those of Linux.
const O_RDONLY = 0;
const O_RDWR = 2;

// After a reset of the volume the number may be another's.
function forget(core: Core, node: Node): void {
  if (core.inodes[node.ino] === node) core.deleteNode(node);
}

// Of no public name. Where it is missing nothing is known of it.
function capacityOf(node: Node): number {
  const { capacity } = node as unknown as { readonly capacity?: number };
  return capacity ?? Infinity;
}

function statOf(node: Node): FileStat {
  const type = typeOf(node);
  return {
    type,
    links: BigInt(node.nlink),
    size: BigInt(type === 'symbolic-link' ? Buffer.byteLength(node.symlink) : node.getSize()),
    device: 0n,
    inode: BigInt(node.ino),
    accessed: nanoseconds(node.atime),
    modified: nanoseconds(node.mtime),
    changed: nanoseconds(node.ctime),
  };
}

function typeOf(node: Node): FileType {
  if (node.isFile()) return 'regular-file';
  if (node.isDirectory()) return 'directory';
  if (node.isSymlink()) return 'symbolic-link';
  return 'unknown';
}

function nanoseconds(time: Date): bigint {
  return BigInt(time.getTime()) * 1_000_000n;
}
