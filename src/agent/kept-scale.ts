import { readFile } from 'node:fs/promises';
import type { FunctionKey } from '../domain/ids.ts';
import { WholeFile } from '../std/whole-file.ts';

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
  readonly #file: WholeFile;
  readonly #functions: Map<string, SetByHand>;
  readonly #resting: Map<string, AtRest>;

  private constructor(path: string, { functions, resting }: Content) {
    this.#file = new WholeFile(path, () => this.#text());
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
    await this.#file.save();
  }

  rests(key: FunctionKey, { createdAt, start }: AtRest): boolean {
    const kept = this.#resting.get(key);
    return kept?.createdAt === createdAt && kept.start === start;
  }

  /** It is at zero now; undefined: it is not, or not here. Resolves once it is written. */
  async rest(key: FunctionKey, at: AtRest | undefined): Promise<void> {
    if (at !== undefined) this.#resting.set(key, at);
    else if (!this.#resting.delete(key)) return;
    await this.#file.save();
  }

  /** Forgets functions that are no more. */
  async retain(keys: ReadonlyMap<FunctionKey, unknown>): Promise<void> {
    const kept = [this.#functions, this.#resting];
    const gone = kept.flatMap((of) => [...of.keys()].filter((key) => !keys.has(key as FunctionKey) && of.delete(key)));
    if (gone.length > 0) await this.#file.save();
  }

  /** Resolves once nothing is left to write, or could not be. */
  written(): Promise<void> {
    return this.#file.written();
  }

  #text(): string {
    const content: Content = {
      functions: Object.fromEntries(this.#functions),
      resting: Object.fromEntries(this.#resting),
    };
    return JSON.stringify({ version: 1, ...content });
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
