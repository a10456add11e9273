// Reads a core module section by section into what others need to know of it: types, imports, exports, sizes, and where each function body lies.
// Bodies are left alone (see `code.ts`). Whatever is not known is refused by name; whether the module is valid is the engine's to say.
import { checkBudget } from './budgets.ts';
import { skipConstantExpression } from './code.ts';
import {
  type CoreModule,
  type Export,
  type ExternKind,
  type Import,
  isCoreModule,
  SECTION_ORDER,
  type Section,
  SectionId,
  type SizeLimits,
  type TableType,
} from './module.ts';
import { Reader } from './reader.ts';
import { type FunctionType, readValueType, unsupported, type ValueType } from './types.ts';

const EXTERN_KINDS: readonly ExternKind[] = ['function', 'table', 'memory', 'global', 'tag'];

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
  readonly #types: FunctionType[] = [];
  readonly #imports: Import[] = [];
  readonly #exports: Export[] = [];
  readonly #functionTypes: number[] = [];
  readonly #tables: TableType[] = [];
  readonly #memories: SizeLimits[] = [];
  #globals = 0;
  #tags = 0;
  #importedFunctions = 0;
  #importedTables = 0;
  #importedMemories = 0;
  #start: number | undefined;
  #bodies = new Uint32Array();
  #nameBytes = 0;

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
        this.#name(new Reader(this.#bytes, contents, reader.pos));
        continue;
      }
      const order = SECTION_ORDER.indexOf(id);
      if (order < 0) reader.fail(`unknown section ${id}`, at);
      if (order <= position) reader.fail(`section ${id} is repeated or out of order`, at);
      position = order;
      this.#sections.push({ id, start: contents, end: reader.pos });
      const section = new Reader(this.#bytes, contents, reader.pos);
      this.#section(id, section);
      if (!section.done) section.fail(`section ${id} is longer than its contents`);
    }
    const defined = this.#functionTypes.length - this.#importedFunctions;
    if (this.#bodies.length !== defined * 2) reader.fail(`${defined} functions are declared, but ${this.#bodies.length / 2} have a body`);
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
      bodies: this.#bodies,
    };
  }

  #section(id: number, reader: Reader): void {
    switch (id) {
      case SectionId.TYPE:
        return this.#typeSection(reader);
      case SectionId.IMPORT:
        return this.#importSection(reader);
      case SectionId.FUNCTION:
        return this.#each(reader, 'functions', () => this.#functionTypes.push(this.#typeIndex(reader)));
      case SectionId.TABLE:
        return this.#each(reader, 'tables', () => this.#tables.push(this.#tableType(reader)));
      case SectionId.MEMORY:
        return this.#each(reader, 'memories', () => this.#memories.push(this.#sizeLimits(reader)));
      case SectionId.TAG:
        return this.#each(reader, 'tags', () => this.#tag(reader));
      case SectionId.GLOBAL:
        return this.#each(reader, 'globals', () => {
          this.#globalType(reader);
          skipConstantExpression(reader);
        });
      case SectionId.EXPORT:
        return this.#exportSection(reader);
      case SectionId.START:
        this.#start = this.#functionIndex(reader);
        return;
      case SectionId.ELEMENT:
        return this.#elementSection(reader);
      case SectionId.CODE:
        return this.#codeSection(reader);
      case SectionId.DATA:
        return this.#each(reader, 'data segments', () => this.#dataSegment(reader));
      default:
        reader.u32();
    }
  }

  #each(reader: Reader, what: 'functions' | 'tables' | 'memories' | 'globals' | 'tags' | 'data segments', one: () => void): void {
    const at = reader.pos;
    const count = reader.count(what);
    checkBudget(what, count, at);
    for (let index = 0; index < count; index++) {
      one();
      if (what === 'globals') this.#globals++;
    }
  }

  #typeSection(reader: Reader): void {
    const at = reader.pos;
    const count = reader.count('types');
    checkBudget('types', count, at);
    let entries = 0;
    for (let index = 0; index < count; index++) {
      const form = reader.u8();
      if (form !== 0x60) {
        if (form === 0x4e || form === 0x4f || form === 0x50 || form === 0x5e || form === 0x5f) unsupported('gc', reader.pos - 1);
        reader.fail(`unknown form of type 0x${form.toString(16)}`, reader.pos - 1);
      }
      const params = this.#valueTypes(reader);
      const results = this.#valueTypes(reader);
      entries += params.length + results.length;
      checkBudget('typeEntries', entries, reader.pos);
      this.#types.push({ params, results });
    }
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
    this.#importedFunctions = this.#functionTypes.length;
    this.#importedTables = this.#tables.length;
    this.#importedMemories = this.#memories.length;
  }

  #importType(kind: ExternKind, reader: Reader): { type?: FunctionType; table?: TableType } {
    switch (kind) {
      case 'function': {
        const type = this.#typeIndex(reader);
        this.#functionTypes.push(type);
        return { type: this.#types[type] as FunctionType };
      }
      case 'table': {
        const table = this.#tableType(reader);
        this.#tables.push(table);
        return { table };
      }
      case 'memory':
        this.#memories.push(this.#sizeLimits(reader));
        return {};
      case 'global':
        this.#globalType(reader);
        this.#globals++;
        return {};
      case 'tag':
        this.#tag(reader);
        return {};
    }
  }

  #exportSection(reader: Reader): void {
    const at = reader.pos;
    const count = reader.count('exports');
    checkBudget('exports', count, at);
    for (let index = 0; index < count; index++) {
      const name = this.#name(reader);
      const kind = this.#externKind(reader);
      if (kind === 'function') {
        const function_ = this.#functionIndex(reader);
        this.#exports.push({ name, kind, index: function_, type: this.#types[this.#functionTypes[function_] as number] as FunctionType });
      } else {
        this.#exports.push({ name, kind, index: reader.u32() });
      }
    }
  }

  #elementSection(reader: Reader): void {
    const segments = reader.count('element segments');
    checkBudget('element segments', segments, reader.pos);
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
        skipConstantExpression(reader);
      }
      if ((flags & 3) !== 0) {
        if (asExpressions) this.#referenceType(reader);
        else if (reader.u8() !== 0) reader.fail('unknown kind of elements', reader.pos - 1);
      }
      const count = reader.count('element entries');
      entries += count;
      checkBudget('element entries', entries, at);
      for (let entry = 0; entry < count; entry++) {
        if (asExpressions) skipConstantExpression(reader);
        else this.#functionIndex(reader);
      }
    }
  }

  #codeSection(reader: Reader): void {
    const count = reader.count('function bodies');
    const bodies = new Uint32Array(count * 2);
    for (let index = 0; index < count; index++) {
      const at = reader.pos;
      const size = reader.u32();
      checkBudget('bytes of one function', size, at);
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
      skipConstantExpression(reader);
    }
    reader.skip(reader.u32());
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
    const kind = EXTERN_KINDS[reader.u8()];
    return kind ?? reader.fail('unknown kind of import or export', reader.pos - 1);
  }

  #typeIndex(reader: Reader): number {
    const at = reader.pos;
    const index = reader.u32();
    if (index >= this.#types.length) reader.fail(`type ${index} does not exist`, at);
    return index;
  }

  #functionIndex(reader: Reader): number {
    const at = reader.pos;
    const index = reader.u32();
    if (index >= this.#functionTypes.length) reader.fail(`function ${index} does not exist`, at);
    return index;
  }

  #tag(reader: Reader): void {
    if (reader.u8() !== 0) reader.fail('unknown kind of tag', reader.pos - 1);
    this.#typeIndex(reader);
    this.#tags++;
  }

  #tableType(reader: Reader): TableType {
    if (reader.bytes[reader.pos] === 0x40) unsupported('typed function references', reader.pos);
    const element = this.#referenceType(reader);
    return { element, ...this.#sizeLimits(reader) };
  }

  #sizeLimits(reader: Reader): SizeLimits {
    const at = reader.pos;
    const flags = reader.u8();
    if (flags > 0x0f) reader.fail(`unknown limits 0x${flags.toString(16)}`, at);
    if (flags & 0x08) unsupported('custom page sizes', at);
    if (flags & 0x04) unsupported('memory64', at);
    if (flags & 0x02) unsupported('threads', at);
    const minimum = reader.u32();
    return flags & 1 ? { minimum, maximum: reader.u32() } : { minimum };
  }

  #globalType(reader: Reader): void {
    readValueType(reader);
    const mutability = reader.u8();
    if (mutability & 2) unsupported('shared-everything threads', reader.pos - 1);
    if (mutability > 1) reader.fail('unknown mutability of a global', reader.pos - 1);
  }

  #valueTypes(reader: Reader): ValueType[] {
    const count = reader.count('types of values');
    return Array.from({ length: count }, () => readValueType(reader));
  }

  #referenceType(reader: Reader): ValueType {
    const type = readValueType(reader);
    if (!type.endsWith('ref')) reader.fail(`${type} is not a type of references`, reader.pos - 1);
    return type;
  }
}
