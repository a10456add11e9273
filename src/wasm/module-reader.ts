// Reads a core module section by section into what others need to know of it: types, imports, exports, sizes, and where each function body lies.
// Bodies are left alone (see `code.ts`). Whatever is not known is refused by name; whether the module is valid is the engine's to say.
import { checkBudget } from './budgets.ts';
import { readIndex, typeOf } from './code.ts';
import { ConstantExpressions, UNKNOWN } from './constant-expressions.ts';
import {
  type CoreModule,
  type DefinedFunctionType,
  type DefinedType,
  type Export,
  type ExternKind,
  type GlobalType,
  type Import,
  isCoreModule,
  type MemoryType,
  SECTION_ORDER,
  type Section,
  SectionId,
  type TableType,
} from './module.ts';
import { readGlobalType, readMemoryType, readReferenceType, readTableType } from './extern-types.ts';
import { Reader } from './reader.ts';
import { readTypeSection } from './type-section.ts';
import { type FunctionType, unsupported } from './types.ts';

const EXTERN_KINDS: readonly ExternKind[] = ['function', 'table', 'memory', 'global', 'tag'];
const STRINGREF_SECTION = 14;
const REFUSED_KINDS: ReadonlyMap<number, string> = new Map([
  [0x20, 'custom descriptors'],
  [0x7e, 'compact imports'],
  [0x7f, 'compact imports'],
]);
type Definition = 'functions' | 'tables' | 'memories' | 'globals' | 'tags' | 'data segments';
/** Before the type of a table that has one, and a zero byte. */
const WITH_INITIALISER = 0x40;

/**
 * Reads the sections of a core module (WebAssembly core specification, section 5.5). Nothing is allocated for a declared count before its bytes are there.
 * @throws GloveportError INVALID_MODULE for malformed bytes, UNSUPPORTED_FEATURE for what is known but not handled, MODULE_TOO_LARGE over a budget.
 */
export function readModule(bytes: Uint8Array): CoreModule {
  if (!isCoreModule(bytes)) new Reader(bytes).fail('this is not a core module of WebAssembly version 1');
  return new ModuleReader(bytes).read();
}

class ModuleReader {
  readonly #bytes: Uint8Array;
  readonly #sections: Section[] = [];
  readonly #types: DefinedType[] = [];
  readonly #imports: Import[] = [];
  readonly #exports: Export[] = [];
  readonly #functionTypes: number[] = [];
  readonly #tables: TableType[] = [];
  readonly #memories: MemoryType[] = [];
  readonly #globals: GlobalType[] = [];
  readonly #tags: number[] = [];
  readonly #constants = new ConstantExpressions({ types: this.#types, functionTypes: this.#functionTypes, globals: this.#globals });
  #importedFunctions = 0;
  #importedTables = 0;
  #importedMemories = 0;
  #start: number | undefined;
  #elementSegments = 0;
  #elementEntries = 0;
  #dataBytes = 0;
  #announcedData: number | undefined;
  #dataSegments = 0;
  #bodies = new Uint32Array();
  /** Functions that exports, the start and lists of elements name. */
  readonly #named: number[] = [];
  #nameBytes = 0;
  #customSections = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(): CoreModule {
    const reader = new Reader(this.#bytes, 8);
    let position = -1;
    while (!reader.done) {
      const at = reader.pos;
      const id = reader.u8();
      const size = reader.u32();
      const contents = reader.pos;
      reader.skip(size);
      if (id === SectionId.CUSTOM) {
        this.#customSection(at, new Reader(this.#bytes, contents, reader.pos));
        continue;
      }
      const order = SECTION_ORDER.indexOf(id);
      if (id === STRINGREF_SECTION) unsupported('stringref', at);
      if (order < 0) reader.fail(`unknown section ${id}`, at);
      if (order <= position) reader.fail(`section ${id} is repeated or out of order`, at);
      position = order;
      this.#sections.push({ id, at, start: contents, end: reader.pos });
      const section = new Reader(this.#bytes, contents, reader.pos);
      this.#section(id, section);
      if (!section.done) section.fail(`section ${id} is longer than its contents`);
    }
    this.#checkCounts(reader);
    return {
      bytes: this.#bytes,
      sections: this.#sections,
      types: this.#types,
      imports: this.#imports,
      exports: this.#exports,
      functionTypes: Uint32Array.from(this.#functionTypes),
      importedFunctions: this.#importedFunctions,
      tables: this.#tables,
      importedTables: this.#importedTables,
      memories: this.#memories,
      importedMemories: this.#importedMemories,
      globals: this.#globals,
      tags: this.#tags,
      start: this.#start,
      elementSegments: this.#elementSegments,
      elementEntries: this.#elementEntries,
      dataBytes: this.#dataBytes,
      dataSegments: this.#announcedData ?? 0,
      initialGcBytes: this.#constants.gcBytes,
      bodies: this.#bodies,
      escaping: this.#escaping(),
    };
  }

  #escaping(): Uint8Array {
    const escaping = new Uint8Array(this.#functionTypes.length);
    for (const index of this.#named) escaping[index] = 1;
    for (const index of this.#constants.referenced) escaping[index] = 1;
    return escaping;
  }

  #customSection(at: number, reader: Reader): void {
    this.#customSections++;
    checkBudget('custom sections', this.#customSections, at);
    const name = this.#name(reader);
    this.#sections.push({ id: SectionId.CUSTOM, at, start: reader.pos, end: reader.end, name });
  }

  #checkCounts(reader: Reader): void {
    const defined = this.#functionTypes.length - this.#importedFunctions;
    if (this.#bodies.length !== defined * 2) reader.fail(`${defined} functions are declared, but none has a body`);
    if (this.#announcedData !== undefined && this.#announcedData !== this.#dataSegments) {
      reader.fail(`${this.#announcedData} data segments are announced, but there are ${this.#dataSegments}`);
    }
  }

  #section(id: number, reader: Reader): void {
    switch (id) {
      case SectionId.TYPE:
        return readTypeSection(reader, this.#types);
      case SectionId.IMPORT:
        return this.#importSection(reader);
      case SectionId.FUNCTION:
        return this.#each(reader, 'functions', this.#functionTypes.length, () => this.#functionTypes.push(this.#functionType(reader)));
      case SectionId.TABLE:
        return this.#each(reader, 'tables', this.#tables.length, () => this.#table(reader));
      case SectionId.MEMORY:
        return this.#each(reader, 'memories', this.#memories.length, () => this.#memories.push(readMemoryType(reader)));
      case SectionId.TAG:
        return this.#each(reader, 'tags', this.#tags.length, () => this.#tags.push(this.#tagType(reader)));
      case SectionId.GLOBAL:
        return this.#each(reader, 'globals', this.#globals.length, () => this.#global(reader));
      case SectionId.EXPORT:
        return this.#exportSection(reader);
      case SectionId.START:
        return this.#startSection(reader);
      case SectionId.ELEMENT:
        return this.#elementSection(reader);
      case SectionId.CODE:
        return this.#codeSection(reader);
      case SectionId.DATA:
        return this.#each(reader, 'data segments', 0, () => this.#dataSegment(reader));
      default:
        this.#dataCount(reader);
    }
  }

  /** A vector of definitions, which stand behind the `before` imported ones. */
  #each(reader: Reader, what: Definition, before: number, one: () => void): void {
    const at = reader.pos;
    const count = reader.count(what);
    checkBudget(what, before + count, at);
    for (let index = 0; index < count; index++) one();
  }

  #importSection(reader: Reader): void {
    const at = reader.pos;
    const count = reader.count('imports');
    checkBudget('imports', count, at);
    for (let index = 0; index < count; index++) {
      const module = this.#name(reader);
      const name = this.#name(reader);
      const kind = this.#externKind(reader);
      this.#imports.push({ module, name, kind, ...this.#importType(kind, reader) });
    }
    checkBudget('tables', this.#tables.length, at);
    checkBudget('memories', this.#memories.length, at);
    checkBudget('tags', this.#tags.length, at);
    this.#importedFunctions = this.#functionTypes.length;
    this.#importedTables = this.#tables.length;
    this.#importedMemories = this.#memories.length;
  }

  #importType(kind: ExternKind, reader: Reader): Partial<Import> {
    switch (kind) {
      case 'function': {
        const type = this.#functionType(reader);
        this.#functionTypes.push(type);
        return { type: this.#signature(type) };
      }
      case 'table': {
        const table = readTableType(reader, this.#types.length);
        this.#tables.push(table);
        return { table };
      }
      case 'memory': {
        const memory = readMemoryType(reader);
        this.#memories.push(memory);
        return { memory };
      }
      case 'global': {
        const global = readGlobalType(reader, this.#types.length);
        this.#globals.push(global);
        return { global };
      }
      case 'tag':
        this.#tags.push(this.#tagType(reader));
        return {};
    }
  }

  #exportSection(reader: Reader): void {
    const at = reader.pos;
    const count = reader.count('exports');
    checkBudget('exports', count, at);
    for (let left = count; left > 0; left--) {
      const name = this.#name(reader);
      const kind = this.#externKind(reader);
      const index = readIndex(reader, kind, this.#spaceOf(kind).length);
      const type = kind === 'function' ? { type: this.#signature(this.#functionTypes[index] as number) } : {};
      if (kind === 'function') this.#named.push(index);
      this.#exports.push({ name, kind, index, ...type });
    }
  }

  #spaceOf(kind: ExternKind): { readonly length: number } {
    switch (kind) {
      case 'function':
        return this.#functionTypes;
      case 'table':
        return this.#tables;
      case 'memory':
        return this.#memories;
      case 'global':
        return this.#globals;
      case 'tag':
        return this.#tags;
    }
  }

  #startSection(reader: Reader): void {
    const at = reader.pos;
    const start = readIndex(reader, 'function', this.#functionTypes.length);
    const { params, results } = this.#signature(this.#functionTypes[start] as number);
    if (params.length + results.length > 0) reader.fail('the start function takes or gives values', at);
    this.#start = start;
    this.#named.push(start);
  }

  #elementSection(reader: Reader): void {
    const segments = reader.count('element segments');
    checkBudget('element segments', segments, reader.pos);
    this.#elementSegments = segments;
    let entries = 0;
    for (let index = 0; index < segments; index++) {
      const at = reader.pos;
      const flags = reader.u32();
      if (flags > 7) reader.fail(`unknown kind of element segment ${flags}`, at);
      const active = (flags & 1) === 0;
      const asExpressions = (flags & 4) !== 0;
      if (active) {
        const table = (flags & 2) !== 0 ? reader.u32() : 0;
        if (table >= this.#tables.length) reader.fail(`table ${table} does not exist`, at);
        this.#constants.read(reader);
      }
      if ((flags & 3) !== 0) {
        if (asExpressions) readReferenceType(reader, this.#types.length);
        else if (reader.u8() !== 0) reader.fail('unknown kind of elements', reader.pos - 1);
      }
      const count = reader.count('element entries');
      entries += count;
      checkBudget('element entries', entries, at);
      this.#elementEntries = entries;
      for (let entry = 0; entry < count; entry++) {
        if (asExpressions) this.#constants.read(reader);
        else this.#named.push(readIndex(reader, 'function', this.#functionTypes.length));
      }
    }
  }

  #codeSection(reader: Reader): void {
    const at = reader.pos;
    const count = reader.count('function bodies');
    const defined = this.#functionTypes.length - this.#importedFunctions;
    if (count !== defined) reader.fail(`${defined} functions are declared, but ${count} have a body`, at);
    const bodies = new Uint32Array(count * 2);
    for (let index = 0; index < count; index++) {
      const size = reader.u32();
      checkBudget('bytes of one function', size, reader.pos);
      bodies[2 * index] = reader.pos;
      reader.skip(size);
      bodies[2 * index + 1] = reader.pos;
    }
    this.#bodies = bodies;
  }

  #dataSegment(reader: Reader): void {
    const at = reader.pos;
    const flags = reader.u32();
    if (flags > 2) reader.fail(`unknown kind of data segment ${flags}`, at);
    if (flags !== 1) {
      const memory = flags === 2 ? reader.u32() : 0;
      if (memory >= this.#memories.length) reader.fail(`memory ${memory} does not exist`, at);
      this.#constants.read(reader);
    }
    const size = reader.u32();
    reader.skip(size);
    this.#dataBytes += size;
    this.#dataSegments++;
  }

  #dataCount(reader: Reader): void {
    const at = reader.pos;
    this.#announcedData = reader.u32();
    checkBudget('data segments', this.#announcedData, at);
  }

  #name(reader: Reader): string {
    const at = reader.pos;
    const name = reader.name();
    const bytes = reader.pos - at;
    this.#nameBytes += bytes;
    checkBudget('bytes of one name', bytes, at);
    checkBudget('bytes of names', this.#nameBytes, at);
    return name;
  }

  #externKind(reader: Reader): ExternKind {
    const at = reader.pos;
    const byte = reader.u8();
    const feature = REFUSED_KINDS.get(byte);
    if (feature !== undefined) unsupported(feature, at);
    return EXTERN_KINDS[byte] ?? reader.fail('unknown kind of import or export', at);
  }

  /** The index of a function type. */
  #functionType(reader: Reader): number {
    const at = reader.pos;
    const index = readIndex(reader, 'type', this.#types.length);
    typeOf(reader, this.#types, 'function', index, at);
    return index;
  }

  #signature(type: number): FunctionType {
    const { params, results } = this.#types[type] as DefinedFunctionType;
    return { params, results };
  }

  #tagType(reader: Reader): number {
    if (reader.u8() !== 0) reader.fail('unknown kind of tag', reader.pos - 1);
    return this.#functionType(reader);
  }

  #table(reader: Reader): void {
    if (reader.bytes[reader.pos] !== WITH_INITIALISER) {
      this.#tables.push(readTableType(reader, this.#types.length));
      return;
    }
    reader.u8();
    if (reader.u8() !== 0) reader.fail('a reserved byte is not zero', reader.pos - 1);
    this.#tables.push(readTableType(reader, this.#types.length));
    // All elements hold the one value that the expression gives.
    this.#constants.read(reader);
  }

  #global(reader: Reader): void {
    const type = readGlobalType(reader, this.#types.length);
    const value = this.#constants.read(reader);
    this.#constants.define(this.#globals.length, type.mutable ? UNKNOWN : value);
    this.#globals.push(type);
  }
}
