// The plugin's implementation of the world `text-tools`: plain JavaScript that runs in QuickJS, which itself runs in WebAssembly. It reaches
// nothing but the two functions of `demo:text/host`. An option that is none arrives as null here.
import { log, lookup } from 'demo:text/host@0.1.0';

export const api = {
  measure(text) {
    const words = wordsOf(text);
    const letters = words.reduce((sum, word) => sum + lengthOf(word), 0);
    return {
      characters: lengthOf(text),
      words: words.length,
      lines: text === '' ? 0 : text.split('\n').length,
      longestWord: words.reduce((longest, word) => (lengthOf(word) > lengthOf(longest ?? '') ? word : longest), undefined),
      averageWordLength: words.length === 0 ? 0 : letters / words.length,
    };
  },

  slugify(title, maxLength) {
    const slug = title
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .replace(/^-|-$/g, '');
    return maxLength === null ? slug : slug.slice(0, maxLength).replace(/-$/, '');
  },

  countWords(text, order) {
    const counts = new Map();
    for (const word of wordsOf(text.toLowerCase())) counts.set(word, (counts.get(word) ?? 0) + 1);
    log(`counted ${counts.size} different words`);
    return api.sortEntries(
      [...counts].map(([word, count]) => ({ word, count })),
      order,
    );
  },

  sortEntries(entries, order) {
    const alphabetical = (a, b) => (a.word < b.word ? -1 : a.word > b.word ? 1 : 0);
    return entries.toSorted(order === 'by-count' ? (a, b) => b.count - a.count || alphabetical(a, b) : alphabetical);
  },

  render(template) {
    let text = '';
    let position = 0;
    for (;;) {
      const open = template.indexOf('{{', position);
      if (open < 0) return text + template.slice(position);
      const close = template.indexOf('}}', open);
      if (close < 0) throw new TemplateError({ tag: 'unclosed', val: open });
      const name = template.slice(open + 2, close).trim();
      const value = lookup(name);
      if (value === null) throw new TemplateError({ tag: 'unknown-placeholder', val: { name, position: open } });
      text += template.slice(position, open) + value;
      position = close + 2;
    }
  },
};

export function readingTime(words, wordsPerMinute) {
  return Math.ceil(words / Math.max(wordsPerMinute, 1));
}

export function spin() {
  for (;;);
}

function wordsOf(text) {
  return text.match(/[\p{L}\p{N}]+/gu) ?? [];
}

function lengthOf(text) {
  return [...text].length;
}

/** The error side of a WIT `result`: the bindings hand `payload` to the host. */
class TemplateError extends Error {
  constructor(payload) {
    super(payload.tag);
    this.payload = payload;
  }
}
