import { readFile, rename, writeFile } from 'node:fs/promises';
import type { FunctionKey } from '../domain/ids.ts';

/** Of the function: one of the same name that was deployed anew begins anew. */
type Deployed = { readonly createdAt: string };

/** A number of replicas that was set by hand. */
export type SetByHand = Deployed & { readonly replicas: number };

/** A function that was let go to zero. */
export type AtRest = Deployed & {
  /** `startMark` of what went: other code, or other surroundings, begin anew. */
  readonly start: string;
};

type Functions<Kept> = Readonly<Record<string, Kept>>;

type Content = { readonly functions: Functions<SetByHand>; readonly resting: Functions<AtRest> };

/**
 * What the next agent could not know of this node's replicas from anything else, on disk: how many were asked for by hand, and which
 * functions are at zero, which it would take for new ones. It is not in the catalogue: how they are spread is decided once, when they are
 * asked for.
 */
export class KeptScale {
  readonly #path: string;
  readonly #functions: Map<string, SetByHand>;
  readonly #resting: Map<string, AtRest>;
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  private constructor(path: string, { functions, resting }: Content) {
    this.#path = path;
    this.#functions = new Map(Object.entries(functions));
    this.#resting = new Map(Object.entries(resting));
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

  rests(key: FunctionKey, { createdAt, start }: AtRest): boolean {
    const kept = this.#resting.get(key);
    return kept?.createdAt === createdAt && kept.start === start;
  }

  /** It is at zero now; undefined: it is not, or not here. Resolves once it is written. */
  async rest(key: FunctionKey, at: AtRest | undefined): Promise<void> {
    if (at !== undefined) this.#resting.set(key, at);
    else if (!this.#resting.delete(key)) return;
    await this.#save();
  }

  /** Forgets functions that are no more. */
  async retain(keys: ReadonlyMap<FunctionKey, unknown>): Promise<void> {
    const kept = [this.#functions, this.#resting];
    const gone = kept.flatMap((of) => [...of.keys()].filter((key) => !keys.has(key as FunctionKey) && of.delete(key)));
    if (gone.length > 0) await this.#save();
  }

  /** Resolves once nothing is left to write, or could not be. */
  async written(): Promise<void> {
    await (this.#queued ?? this.#writing).catch(() => {});
  }

  /** Changes made while a write runs share the next one. */
  #save(): Promise<void> {
    this.#queued ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#queued = undefined;
        this.#writing = this.#write();
        return this.#writing;
      });
    return this.#queued;
  }

  /** As a whole or not at all. */
  async #write(): Promise<void> {
    const fresh = `${this.#path}.new`;
    const content: Content = {
      functions: Object.fromEntries(this.#functions),
      resting: Object.fromEntries(this.#resting),
    };
    await writeFile(fresh, JSON.stringify({ version: 1, ...content }), { mode: 0o600 });
    await rename(fresh, this.#path);
  }
}

const readKept = async (path: string): Promise<Content> => {
  const none: Content = { functions: {}, resting: {} };
  try {
    const { version, ...content } = JSON.parse(await readFile(path, 'utf8')) as Partial<Content> & { version?: number };
    return version === 1 ? { ...none, ...content } : none;
  } catch {
    return none;
  }
};
