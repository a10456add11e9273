// wasi:filesystem. Notation: `reader.ts`.

export const FILESYSTEM = `
interface wasi:filesystem/types
  resource descriptor
  resource directory-entry-stream

  type descriptor-type = enum{unknown,block-device,character-device,directory,fifo,symbolic-link,regular-file,socket}
  type descriptor-flags = flags{read,write,file-integrity-sync,data-integrity-sync,requested-write-sync,mutate-directory}
  type path-flags = flags{symlink-follow}
  type open-flags = flags{create,directory,exclusive,truncate}
  type descriptor-stat = record{
    type:descriptor-type,link-count:u64,size:u64,
    data-access-timestamp:option<datetime>,data-modification-timestamp:option<datetime>,status-change-timestamp:option<datetime>
  }
  type new-timestamp = variant{no-change,now,timestamp(datetime)}
  type directory-entry = record{type:descriptor-type,name:string}
  type advice = enum{normal,sequential,random,will-need,dont-need,no-reuse}
  type metadata-hash-value = record{lower:u64,upper:u64}
  type error-code = enum{
    access,would-block,already,bad-descriptor,busy,deadlock,quota,exist,file-too-large,illegal-byte-sequence,in-progress,interrupted,invalid,io,
    is-directory,loop,too-many-links,message-size,name-too-long,no-device,no-entry,no-lock,insufficient-memory,insufficient-space,not-directory,
    not-empty,not-recoverable,unsupported,no-tty,no-such-device,overflow,not-permitted,pipe,read-only,invalid-seek,text-file-busy,cross-device
  }

  filesystem-error-code(borrow<error>) -> option<error-code>
  descriptor.read-via-stream(u64) -> result<input-stream,error-code>
  descriptor.write-via-stream(u64) -> result<output-stream,error-code>
  descriptor.append-via-stream() -> result<output-stream,error-code>
  descriptor.advise(u64,u64,advice) -> result<_,error-code>
  descriptor.sync-data() -> result<_,error-code>
  descriptor.get-flags() -> result<descriptor-flags,error-code>
  descriptor.get-type() -> result<descriptor-type,error-code>
  descriptor.set-size(u64) -> result<_,error-code>
  descriptor.set-times(new-timestamp,new-timestamp) -> result<_,error-code>
  descriptor.read(u64,u64) -> result<tuple<list<u8>,bool>,error-code>
  descriptor.write(list<u8>,u64) -> result<u64,error-code>
  descriptor.read-directory() -> result<directory-entry-stream,error-code>
  descriptor.sync() -> result<_,error-code>
  descriptor.create-directory-at(string) -> result<_,error-code>
  descriptor.stat() -> result<descriptor-stat,error-code>
  descriptor.stat-at(path-flags,string) -> result<descriptor-stat,error-code>
  descriptor.set-times-at(path-flags,string,new-timestamp,new-timestamp) -> result<_,error-code>
  descriptor.link-at(path-flags,string,borrow<descriptor>,string) -> result<_,error-code>
  descriptor.open-at(path-flags,string,open-flags,descriptor-flags) -> result<descriptor,error-code>
  descriptor.readlink-at(string) -> result<string,error-code>
  descriptor.remove-directory-at(string) -> result<_,error-code>
  descriptor.rename-at(string,borrow<descriptor>,string) -> result<_,error-code>
  descriptor.symlink-at(string,string) -> result<_,error-code>
  descriptor.unlink-file-at(string) -> result<_,error-code>
  descriptor.is-same-object(borrow<descriptor>) -> bool
  descriptor.metadata-hash() -> result<metadata-hash-value,error-code>
  descriptor.metadata-hash-at(path-flags,string) -> result<metadata-hash-value,error-code>
  directory-entry-stream.read-directory-entry() -> result<option<directory-entry>,error-code>

interface wasi:filesystem/preopens
  get-directories() -> list<tuple<descriptor,string>>`;
