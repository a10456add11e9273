// A control whose guest is suspended when it waits: `wait` is kept, and the call is made again when it is over, as the meter does.
import { RecordingControl } from './support.ts';

type Subscribe = (wake: () => void) => () => void;

export class SuspendingControl extends RecordingControl {
  /** Waits that ended a call of the host, so far. */
  suspensions = 0;
  #asked: { readonly milliseconds: number; readonly onChange: Subscribe | undefined } | undefined;

  override wait(milliseconds: number, onChange?: Subscribe): boolean {
    this.#asked = { milliseconds, onChange };
    return false;
  }

  override suspends(): boolean {
    return true;
  }

  /** Makes a call of the host's, as often as it takes. */
  async call<Result>(operation: () => Result): Promise<Result> {
    for (;;) {
      const result = operation();
      if (this.#asked === undefined) return result;
      await this.#over(this.#asked);
    }
  }

  async #over({ milliseconds, onChange }: { readonly milliseconds: number; readonly onChange: Subscribe | undefined }): Promise<void> {
    this.#asked = undefined;
    this.suspensions += 1;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(milliseconds, 5_000));
      const unsubscribe = onChange?.(() => {
        unsubscribe?.();
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
