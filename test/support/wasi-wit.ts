// The WIT of WASI 0.2 that comes with jco: what tests hold the project's own tables against, and what their guests are made with.
import { readFile } from 'node:fs/promises';

export const WASI_VERSION = '0.2.12';

const FOLDER = new URL(`../../node_modules/@bytecodealliance/jco/lib/wit/builtin/${WASI_VERSION}/`, import.meta.url);
const PACKAGES = ['io', 'clocks', 'random', 'cli', 'filesystem', 'sockets', 'http'] as const;

/** A document with a world `guest` of these items, and all packages of WASI. */
export async function witOfWorld(items: readonly string[]): Promise<string> {
  const nested = (await packages()).map(([, text]) => `${text.replace(/^package ([^;]+);/m, 'package $1 {')}}`);
  return ['package test:guest;', 'world guest {', ...items.map((item) => `${item};`), '}', ...nested].join('\n');
}

/** The names of all interfaces, without version. */
export async function wasiInterfaceNames(): Promise<string[]> {
  return (await packages()).flatMap(([name, text]) => [...text.matchAll(/^interface ([a-z-]+) \{$/gm)].map(([, own]) => `wasi:${name}/${own}`));
}

function packages(): Promise<(readonly [name: string, text: string])[]> {
  return Promise.all(PACKAGES.map(async (name) => [name, await readFile(new URL(`wasi-${name}/package.wit`, FOLDER), 'utf8')] as const));
}
