// wasi:filesystem 0.2 (types, preopens) over the open files and directories of `filesystem/`: names, flags and records of the interface, nothing else.
import { createHash } from 'node:crypto';
import { Cap } from '../../capabilities.ts';
import type { WasiContext } from '../context.ts';
import type { FileStat, FileTimes, FileType } from '../filesystem/backing.ts';
import { OpenDirectory } from '../filesystem/directory.ts';
import { type ErrorCode, fail } from '../filesystem/errors.ts';
import { OpenFile } from '../filesystem/file.ts';
import type { MountPoint } from '../filesystem/mount-point.ts';
import { type Datetime, datetimeOf, nanosecondsOf } from './clocks-random.ts';
import { InputStream, IoError, MAX_TRANSFER_BYTES, OutputStream } from './io.ts';
import { READY } from '../waiting.ts';
import { interfaceOf, Resource } from './resource.ts';

interface PathFlags {
  readonly symlinkFollow?: boolean;
}

interface OpenFlags {
  readonly create?: boolean;
  readonly directory?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
}

interface DescriptorFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly fileIntegritySync?: boolean;
  readonly dataIntegritySync?: boolean;
  readonly requestedWriteSync?: boolean;
  readonly mutateDirectory?: boolean;
}

type NewTimestamp = { readonly tag: 'no-change' } | { readonly tag: 'now' } | { readonly tag: 'timestamp'; readonly val: Datetime };

interface DescriptorStat {
  readonly type: FileType;
  readonly linkCount: bigint;
  readonly size: bigint;
  readonly dataAccessTimestamp: Datetime;
  readonly dataModificationTimestamp: Datetime;
  readonly statusChangeTimestamp: Datetime;
}

interface MetadataHash {
  readonly upper: bigint;
  readonly lower: bigint;
}

/**
 * The resource `descriptor`. `mutate-directory` decides nothing: a directory below a mount may be changed when the mount may, as in other hosts, since
 * what is compiled for preview 1 never sets it.
 */
export class Descriptor extends Resource {
  readonly #context: WasiContext;
  readonly #object: OpenFile | OpenDirectory;

  /** Takes over `object`. */
  constructor(context: WasiContext, object: OpenFile | OpenDirectory) {
    super(context, () => object.release());
    this.#context = context;
    this.#object = object;
  }

  readViaStream(offset: bigint): InputStream {
    const file = this.#file();
    file.checkReadable();
    let position = offset;
    this.#context.checkHandles();
    file.retain();
    return new InputStream(this.#context, {
      ready: READY,
      read(limit) {
        const bytes = readFrom(file, position, limit);
        position += BigInt(bytes.length);
        return bytes.length === 0 ? undefined : bytes;
      },
      close: () => file.release(),
    });
  }

  writeViaStream(offset: bigint): OutputStream {
    let position = offset;
    return this.#output((file, bytes) => {
      const count = file.write(bytes, position);
      position += BigInt(count);
      return count;
    });
  }

  appendViaStream(): OutputStream {
    return this.#output((file, bytes) => file.write(bytes, file.end()));
  }

  advise(): void {
    this.#file().stat();
  }

  syncData(): void {
    if (this.#object instanceof OpenFile) this.#object.sync(true);
    else this.#object.sync();
  }

  sync(): void {
    if (this.#object instanceof OpenFile) this.#object.sync(false);
    else this.#object.sync();
  }

  getFlags(): DescriptorFlags {
    if (this.#object instanceof OpenDirectory) return { read: true, mutateDirectory: this.#object.point.writable };
    const { read, write, sync } = this.#object.mode;
    return { read, write, fileIntegritySync: sync === 'all', dataIntegritySync: sync === 'data' };
  }

  getType(): FileType {
    return this.#object instanceof OpenDirectory ? 'directory' : 'regular-file';
  }

  setSize(size: bigint): void {
    this.#file().setSize(size);
  }

  setTimes(accessed: NewTimestamp, modified: NewTimestamp): void {
    this.#object.setTimes(timesOf(accessed, modified, () => this.#object.stat()));
  }

  read(length: bigint, offset: bigint): [Uint8Array, boolean] {
    const file = this.#file();
    const bytes = readFrom(file, offset, Math.min(Number(length), MAX_TRANSFER_BYTES));
    return [bytes, offset + BigInt(bytes.length) >= file.end()];
  }

  write(buffer: Uint8Array, offset: bigint): bigint {
    return BigInt(this.#file().write(buffer, offset));
  }

  readDirectory(): DirectoryEntryStream {
    const directory = this.#directory();
    this.#context.checkHandles();
    return new DirectoryEntryStream(this.#context, directory.point, directory.list());
  }

  createDirectoryAt(path: string): void {
    this.#directory().createDirectoryAt(path);
  }

  stat(): DescriptorStat {
    return descriptorStat(this.#object.stat());
  }

  statAt(flags: PathFlags, path: string): DescriptorStat {
    return descriptorStat(this.#directory().statAt(path, flags.symlinkFollow === true));
  }

  setTimesAt(flags: PathFlags, path: string, accessed: NewTimestamp, modified: NewTimestamp): void {
    const directory = this.#directory();
    const follow = flags.symlinkFollow === true;
    directory.setTimesAt(
      path,
      follow,
      timesOf(accessed, modified, () => directory.statAt(path, follow)),
    );
  }

  linkAt(flags: PathFlags, path: string, target: Descriptor, newPath: string): void {
    this.#directory().linkAt(path, flags.symlinkFollow === true, target.#directory(), newPath);
  }

  openAt(pathFlags: PathFlags, path: string, openFlags: OpenFlags, flags: DescriptorFlags): Descriptor {
    this.#context.checkHandles();
    const object = this.#directory().open(path, {
      follow: pathFlags.symlinkFollow === true,
      create: openFlags.create === true,
      directory: openFlags.directory === true,
      exclusive: openFlags.exclusive === true,
      truncate: openFlags.truncate === true,
      read: flags.read === true,
      write: flags.write === true,
      sync: flags.fileIntegritySync ? 'all' : flags.dataIntegritySync ? 'data' : 'none',
    });
    return new Descriptor(this.#context, object);
  }

  readlinkAt(path: string): string {
    return this.#directory().readLinkAt(path);
  }

  removeDirectoryAt(path: string): void {
    this.#directory().removeDirectoryAt(path);
  }

  renameAt(path: string, target: Descriptor, newPath: string): void {
    this.#directory().renameAt(path, target.#directory(), newPath);
  }

  symlinkAt(target: string, path: string): void {
    this.#directory().createLinkAt(target, path);
  }

  unlinkFileAt(path: string): void {
    this.#directory().removeFileAt(path);
  }

  /** The interface has no error here: what cannot be looked at is not the same. */
  isSameObject(other: Descriptor): boolean {
    try {
      const one = this.#object.stat();
      const two = other.#object.stat();
      return one.device === two.device && one.inode === two.inode;
    } catch (error) {
      if (typeof error !== 'string') throw error;
      return false;
    }
  }

  metadataHash(): MetadataHash {
    return metadataHash(this.#object.stat());
  }

  metadataHashAt(flags: PathFlags, path: string): MetadataHash {
    return metadataHash(this.#directory().statAt(path, flags.symlinkFollow === true));
  }

  #output(writeSome: (file: OpenFile, bytes: Uint8Array) => number): OutputStream {
    const file = this.#file();
    file.checkWritable();
    this.#context.checkHandles();
    file.retain();
    return new OutputStream(this.#context, {
      ready: READY,
      permit: () => MAX_TRANSFER_BYTES,
      write(bytes) {
        for (let rest = bytes; rest.length > 0; ) {
          const count = writeSome(file, rest);
          if (count === 0) fail('io');
          rest = rest.subarray(count);
        }
      },
      close: () => file.release(),
    });
  }

  #file(): OpenFile {
    return this.#object instanceof OpenFile ? this.#object : fail('is-directory');
  }

  #directory(): OpenDirectory {
    return this.#object instanceof OpenDirectory ? this.#object : fail('not-directory');
  }
}

/** The resource `directory-entry-stream`: the entries as they were when it was made. */
export class DirectoryEntryStream extends Resource {
  readonly #point: MountPoint;
  readonly #entries: ReturnType<OpenDirectory['list']>['entries'];
  #next = 0;

  constructor(context: WasiContext, point: MountPoint, list: ReturnType<OpenDirectory['list']>) {
    super(context, () => context.giveBack(list.bytes));
    this.#point = point;
    this.#entries = list.entries;
  }

  readDirectoryEntry(): { readonly type: FileType; readonly name: string } | undefined {
    this.#point.checkRead();
    const entry = this.#entries[this.#next];
    this.#next += 1;
    return entry;
  }
}

/** The interfaces of wasi:filesystem. */
export function filesystemInterfaces(context: WasiContext, points: readonly MountPoint[]) {
  const preopen = (point: MountPoint): [Descriptor, string] => {
    context.checkHandles();
    return [new Descriptor(context, OpenDirectory.rootOf(point)), point.path];
  };
  return {
    'wasi:filesystem/types': interfaceOf({ Descriptor, DirectoryEntryStream, filesystemErrorCode }),
    'wasi:filesystem/preopens': interfaceOf({ getDirectories: () => (context.allows(Cap.FS_READ | Cap.FS_WRITE) ? points.map(preopen) : []) }),
  };
}

function filesystemErrorCode(error: IoError): ErrorCode | undefined {
  const failure = IoError.failureOf(error);
  return typeof failure === 'string' ? failure : undefined;
}

function readFrom(file: OpenFile, position: bigint, limit: number): Uint8Array {
  file.checkReadable();
  const bytes = file.point.context.scratch.subarray(0, limit);
  return bytes.subarray(0, file.read(bytes, position));
}

function descriptorStat(stat: FileStat): DescriptorStat {
  return {
    type: stat.type,
    linkCount: stat.links,
    size: stat.size,
    dataAccessTimestamp: datetimeOf(stat.accessed),
    dataModificationTimestamp: datetimeOf(stat.modified),
    statusChangeTimestamp: datetimeOf(stat.changed),
  };
}

function timesOf(accessed: NewTimestamp, modified: NewTimestamp, current: () => FileStat): FileTimes {
  const stat = accessed.tag === 'no-change' || modified.tag === 'no-change' ? current() : undefined;
  return { accessed: timeOf(accessed, stat?.accessed), modified: timeOf(modified, stat?.modified) };
}

// What does not fit in 64 bits of nanoseconds, the year 2554, fits in no file system either.
const LAST_NANOSECOND = 2n ** 64n - 1n;

function timeOf(timestamp: NewTimestamp, current = 0n): bigint {
  if (timestamp.tag === 'no-change') return current;
  if (timestamp.tag === 'now') return BigInt(Date.now()) * 1_000_000n;
  const nanoseconds = nanosecondsOf(timestamp.val);
  return nanoseconds > LAST_NANOSECOND ? fail('overflow') : nanoseconds;
}

function metadataHash(stat: FileStat): MetadataHash {
  const digest = createHash('sha256').update([stat.device, stat.inode, stat.size, stat.modified, stat.changed].join(':')).digest();
  return { upper: digest.readBigUInt64LE(0), lower: digest.readBigUInt64LE(8) };
}
