import { readFile, rename, writeFile } from 'node:fs/promises';
import type { FunctionKey } from '../domain/ids.ts';

/** A number of replicas that was set by hand. */
export type SetByHand = {
  readonly replicas: number;
  /** Of the function: one of the same name that was deployed anew begins anew. */
  readonly createdAt: string;
};

/**
 * How many of the replicas that were asked for by hand are this node's, on disk, because the next agent could not know it from
 * anything else. It is not in the catalogue: how they are spread is decided once, when they are asked for.
 */
export class KeptScale {
  readonly #path: string;
  readonly #functions: Map<string, SetByHand>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, functions: Readonly<Record<string, SetByHand>>) {
    this.#path = path;
    this.#functions = new Map(Object.entries(functions));
  }

  /** A file that is not there, or is damaged, counts as empty. */
  static async open(path: string): Promise<KeptScale> {
    return new KeptScale(path, await readKept(path));
  }

  get(key: FunctionKey, createdAt: string): number {
    const kept = this.#functions.get(key);
    return kept?.createdAt === createdAt ? kept.replicas : 0;
  }

  /** 0 replicas: it is left to the load again. Resolves once it is written. */
  async set(key: FunctionKey, set: SetByHand): Promise<void> {
    if (set.replicas > 0) this.#functions.set(key, set);
    else if (!this.#functions.delete(key)) return;
    await this.#save();
  }

  /** Forgets functions that are no more. */
  async retain(keys: ReadonlyMap<FunctionKey, unknown>): Promise<void> {
    const gone = [...this.#functions.keys()].filter((key) => !keys.has(key as FunctionKey));
    for (const key of gone) this.#functions.delete(key);
    if (gone.length > 0) await this.#save();
  }

  #save(): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  /** As a whole or not at all. */
  async #write(): Promise<void> {
    const fresh = `${this.#path}.new`;
    await writeFile(fresh, JSON.stringify({ version: 1, functions: Object.fromEntries(this.#functions) }), {
      mode: 0o600,
    });
    await rename(fresh, this.#path);
  }
}

const readKept = async (path: string): Promise<Readonly<Record<string, SetByHand>>> => {
  try {
    const { version, functions } = JSON.parse(await readFile(path, 'utf8')) as {
      readonly version?: number;
      readonly functions?: Readonly<Record<string, SetByHand>>;
    };
    return version === 1 ? (functions ?? {}) : {};
  } catch {
    return {};
  }
};
