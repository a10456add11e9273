// wasi:cli and wasi:random. Notation: `reader.ts`.

export const CLI = `
interface wasi:cli/environment
  get-environment() -> list<tuple<string,string>>
  get-arguments() -> list<string>
  initial-cwd() -> option<string>

interface wasi:cli/exit
  exit(result)
  exit-with-code(u8)

interface wasi:cli/stdin
  get-stdin() -> input-stream

interface wasi:cli/stdout
  get-stdout() -> output-stream

interface wasi:cli/stderr
  get-stderr() -> output-stream

interface wasi:cli/terminal-input
  resource terminal-input

interface wasi:cli/terminal-output
  resource terminal-output

interface wasi:cli/terminal-stdin
  get-terminal-stdin() -> option<terminal-input>

interface wasi:cli/terminal-stdout
  get-terminal-stdout() -> option<terminal-output>

interface wasi:cli/terminal-stderr
  get-terminal-stderr() -> option<terminal-output>`;

export const RANDOM = `
interface wasi:random/random
  get-random-bytes(u64) -> list<u8>
  get-random-u64() -> u64

interface wasi:random/insecure
  get-insecure-random-bytes(u64) -> list<u8>
  get-insecure-random-u64() -> u64

interface wasi:random/insecure-seed
  insecure-seed() -> tuple<u64,u64>`;
