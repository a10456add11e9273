// Writes a core module back, section by section: what is not edited is copied byte for byte, custom sections and padded sizes too. The mirror of
// `module-reader.ts`; what the edits mean is for its users.
import { type CoreModule, SECTION_ORDER, type Section, SectionId } from './module.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

type Chunks = readonly Uint8Array[];

/**
 * What becomes of a custom section: true keeps it, false drops it, bytes replace what stands behind its name. Sections that hold offsets of code are wrong once
 * code has moved.
 */
export type CustomSectionChoice = (section: CustomSection) => boolean | Uint8Array;
type CustomSection = Section & { readonly name: string };

/** A module with edits to its sections, at most one for each: the last one holds. Bytes that are handed in are not copied before {@link write}. */
export class ModuleWriter {
  readonly #module: CoreModule;
  readonly #custom: CustomSectionChoice;
  readonly #edits = new Map<number, { readonly contents?: Chunks; readonly appended?: { readonly count: number; readonly entries: Uint8Array } }>();

  readonly #inserted = new Map<number, { readonly name: string; readonly contents: Uint8Array }>();
  readonly #last: { readonly name: string; readonly contents: Uint8Array }[] = [];

  constructor(module: CoreModule, custom: CustomSectionChoice) {
    this.#module = module;
    this.#custom = custom;
  }

  /** Puts `count` entries behind those of a section that is a vector; the section is made where there is none. */
  append(id: number, count: number, entries: Uint8Array): void {
    this.#edits.set(id, { appended: { count, entries } });
  }

  /** Gives a section other contents, the bytes of all chunks in their order; the section is made where there is none. */
  replace(id: number, contents: Chunks): void {
    this.#edits.set(id, { contents });
  }

  /** Puts a custom section before the section `id`, where there is that. */
  insertBefore(id: number, name: string, contents: Uint8Array): void {
    this.#inserted.set(id, { name, contents });
  }

  /** Puts a custom section behind all others. */
  insertLast(name: string, contents: Uint8Array): void {
    this.#last.push({ name, contents });
  }

  drop(id: number): void {
    this.#edits.set(id, {});
  }

  write(): Uint8Array {
    const { bytes, sections } = this.#module;
    const out: Uint8Array[] = [bytes.subarray(0, 8)];
    const last = sections.findLast(({ id }) => id !== SectionId.CUSTOM);
    let order = 0;
    for (const section of sections) {
      if (isCustom(section)) {
        this.#writeCustom(section, out);
        continue;
      }
      const own = SECTION_ORDER.indexOf(section.id);
      order = this.#writeMade(order, own, out) + 1;
      this.#writeSection(section.id, section, out);
      // What is made behind all others still stands before the custom sections at the end, which speak of the whole module.
      if (section === last) order = this.#writeMade(order, SECTION_ORDER.length, out);
    }
    this.#writeMade(order, SECTION_ORDER.length, out);
    for (const { name, contents } of this.#last) writeCustom(name, contents, out);
    return concatenate(out);
  }

  #writeCustom(section: CustomSection, out: Uint8Array[]): void {
    const choice = this.#custom(section);
    if (choice === false) return;
    if (choice === true) {
      out.push(this.#module.bytes.subarray(section.at, section.end));
      return;
    }
    writeCustom(section.name, choice, out);
  }

  // The sections from place `from` up to place `to` of the order, which the module does not have.
  #writeMade(from: number, to: number, out: Uint8Array[]): number {
    for (const id of SECTION_ORDER.slice(from, to)) if (this.#edits.has(id)) this.#writeSection(id, undefined, out);
    return to;
  }

  #writeSection(id: number, section: Section | undefined, out: Uint8Array[]): void {
    const inserted = this.#inserted.get(id);
    if (inserted !== undefined) writeCustom(inserted.name, inserted.contents, out);
    const edit = this.#edits.get(id);
    if (edit === undefined) {
      if (section !== undefined) out.push(this.#module.bytes.subarray(section.at, section.end));
    } else if (edit.contents !== undefined) {
      writeFramed(id, edit.contents, out);
    } else if (edit.appended !== undefined) {
      const { count, entries } = edit.appended;
      const own = new Reader(this.#module.bytes, section?.start ?? 0, section?.end ?? 0);
      const before = section === undefined ? 0 : own.u32();
      const vector = new Writer();
      vector.u32(before + count);
      writeFramed(id, [vector.view(), own.take(own.left), entries], out);
    }
  }
}

function isCustom(section: Section): section is CustomSection {
  return section.name !== undefined;
}

function writeCustom(name: string, contents: Uint8Array, out: Uint8Array[]): void {
  const head = new Writer();
  head.name(name);
  writeFramed(SectionId.CUSTOM, [head.view(), contents], out);
}

function writeFramed(id: number, contents: Chunks, out: Uint8Array[]): void {
  const head = new Writer();
  head.u8(id);
  head.u32(lengthOf(contents));
  out.push(head.view());
  for (const chunk of contents) out.push(chunk);
}

function lengthOf(chunks: Chunks): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function concatenate(chunks: Chunks): Uint8Array {
  const bytes = new Uint8Array(lengthOf(chunks));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
