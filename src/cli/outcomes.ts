import { SkeinError } from '../domain/errors.ts';
import { UsageError } from './usage-error.ts';

type Item = { readonly name: string; result: object; error: SkeinError | UsageError | undefined };

/**
 * What becomes of each thing that a command was given. One that fails keeps no other from being tried: it is said at once,
 * `end` prints all results, and the command fails.
 */
export class Outcomes {
  readonly #items: readonly Item[];

  constructor(names: readonly string[]) {
    this.#items = names.map((name) => ({ name, result: { name }, error: undefined }));
  }

  /** Does something with one of them and adds what it returns to its result. What failed before is left out. */
  async attempt(at: number, act: () => Promise<object>): Promise<void> {
    const item = this.#items[at];
    if (item === undefined || item.error !== undefined) return;
    try {
      item.result = { ...item.result, ...(await act()) };
    } catch (error) {
      // Anything else is a fault of this program and ends it.
      if (!(error instanceof SkeinError || error instanceof UsageError)) throw error;
      item.error = error;
      item.result = { name: item.name, outcome: 'failed', ...item.result, error: error.message };
      if (this.#items.length > 1) console.error(`skein: ${item.name}: ${error.message}`);
    }
  }

  /** Prints all as one document where `json` asks for it. Throws where one failed. */
  end(json: boolean): void {
    const failed = this.#items.filter(({ error }) => error !== undefined);
    if (json) console.log(JSON.stringify(this.#items.map(({ result }) => result)));
    if (failed.length === 0) return;
    // The only one is told of as if there were no list.
    if (this.#items.length === 1) throw failed[0]!.error!;
    const names = failed.map(({ name }) => name).join(', ');
    throw new SkeinError('unavailable', `${failed.length} of ${this.#items.length} failed: ${names}`);
  }
}
