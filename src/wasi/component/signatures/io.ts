// wasi:io and wasi:clocks, which all others build on. Notation: `reader.ts`.

export const IO = `
interface wasi:io/error
  resource error
  error.to-debug-string() -> string

interface wasi:io/poll
  resource pollable
  pollable.ready() -> bool
  pollable.block()
  poll(list<borrow<pollable>>) -> list<u32>

interface wasi:io/streams
  resource input-stream
  resource output-stream
  type stream-error = variant{last-operation-failed(error),closed}
  input-stream.read(u64) -> result<list<u8>,stream-error>
  input-stream.blocking-read(u64) -> result<list<u8>,stream-error>
  input-stream.skip(u64) -> result<u64,stream-error>
  input-stream.blocking-skip(u64) -> result<u64,stream-error>
  input-stream.subscribe() -> pollable
  output-stream.check-write() -> result<u64,stream-error>
  output-stream.write(list<u8>) -> result<_,stream-error>
  output-stream.blocking-write-and-flush(list<u8>) -> result<_,stream-error>
  output-stream.flush() -> result<_,stream-error>
  output-stream.blocking-flush() -> result<_,stream-error>
  output-stream.subscribe() -> pollable
  output-stream.write-zeroes(u64) -> result<_,stream-error>
  output-stream.blocking-write-zeroes-and-flush(u64) -> result<_,stream-error>
  output-stream.splice(borrow<input-stream>,u64) -> result<u64,stream-error>
  output-stream.blocking-splice(borrow<input-stream>,u64) -> result<u64,stream-error>`;

export const CLOCKS = `
interface wasi:clocks/monotonic-clock
  type instant = u64
  type duration = u64
  now() -> instant
  resolution() -> duration
  subscribe-instant(instant) -> pollable
  subscribe-duration(duration) -> pollable

interface wasi:clocks/wall-clock
  type datetime = record{seconds:u64,nanoseconds:u32}
  now() -> datetime
  resolution() -> datetime

interface wasi:clocks/timezone
  type timezone-display = record{utc-offset:s32,name:string,in-daylight-saving-time:bool}
  display(datetime) -> timezone-display
  utc-offset(datetime) -> s32`;
