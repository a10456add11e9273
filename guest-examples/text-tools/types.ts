// The exports of the world `text-tools` as TypeScript sees them: names in camel case, `undefined` for none, variants as `{ tag, val }`.
export interface TextTools {
  readonly 'demo:text/api': TextApi;
  readingTime(words: number, wordsPerMinute: number): number;
  spin(): void;
}

export interface TextApi {
  measure(text: string): Statistics;
  slugify(title: string, maxLength: number | undefined): string;
  countWords(text: string, order: Order): Entry[];
  sortEntries(entries: Entry[], order: Order): Entry[];
  /** Rejects with a ComponentError whose payload is a {@link TemplateError}. */
  render(template: string): string;
}

export type Order = 'alphabetical' | 'by-count';

export interface Statistics {
  characters: number;
  words: number;
  lines: number;
  longestWord?: string | undefined;
  averageWordLength: number;
}

export interface Entry {
  word: string;
  count: number;
}

export type TemplateError = { tag: 'unknown-placeholder'; val: { name: string; position: number } } | { tag: 'unclosed'; val: number };
