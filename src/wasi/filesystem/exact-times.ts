// File times as a guest set them. Stores keep them coarser (node:fs takes seconds as a double, memfs has milliseconds), so that a program that sets a time
// and looks at it would find another one: as long as the store shows what it made of a time, the guest is shown what it asked for.
import type { FileStat, FileTimes } from './backing.ts';

/** Files that are remembered; the one that was set first is forgotten first. */
export const MAX_EXACT_TIMES = 1_000;

export class ExactTimes {
  readonly #known = new Map<string, { readonly asked: FileTimes; readonly kept: FileTimes }>();

  /** `kept` is what the store shows right after `asked` was set. */
  remember(asked: FileTimes, kept: FileStat): void {
    const key = keyOf(kept);
    this.#known.delete(key);
    if (asked.accessed === kept.accessed && asked.modified === kept.modified) return;
    const oldest = this.#known.keys().next().value;
    if (oldest !== undefined && this.#known.size === MAX_EXACT_TIMES) this.#known.delete(oldest);
    this.#known.set(key, { asked, kept: { accessed: kept.accessed, modified: kept.modified } });
  }

  /** `stat`, as the store shows it, with the times that were asked for. */
  restore(stat: FileStat): FileStat {
    const known = this.#known.size === 0 ? undefined : this.#known.get(keyOf(stat));
    if (known === undefined) return stat;
    const { asked, kept } = known;
    return {
      ...stat,
      accessed: stat.accessed === kept.accessed ? asked.accessed : stat.accessed,
      modified: stat.modified === kept.modified ? asked.modified : stat.modified,
    };
  }
}

function keyOf({ device, inode }: FileStat): string {
  return `${device}:${inode}`;
}
