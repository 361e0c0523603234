import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../bundles/manifest.ts';
import type { Address } from '../../routing/plan.ts';
import type { FunctionSpec } from '../provider.ts';
import { bootId, type ProcessIdentity } from '../../std/process-identity.ts';
import { WholeFile } from '../../std/whole-file.ts';

/** A replica as it is written down before it may serve. */
export type LedgerEntry = {
  readonly id: string;
  readonly process: ProcessIdentity;
  readonly address: Address;
  readonly readyPath?: string;
  readonly mode: Manifest['mode'];
  readonly spec: FunctionSpec;
};

type LedgerFile = { readonly version: 1; readonly bootId: string; readonly replicas: readonly LedgerEntry[] };

/**
 * The replicas of one node, on disk in `ledger.json`, so that whoever comes after this process can adopt or end them.
 * One writer. A write replaces the file at once; it is not flushed to the device, because the processes it tells
 * of do not survive the machine either.
 */
export class Ledger {
  /** For this user alone: deployed environments may hold secrets. */
  readonly #file: WholeFile;
  readonly #entries: Map<string, LedgerEntry>;

  private constructor(path: string, entries: readonly LedgerEntry[]) {
    this.#file = new WholeFile(path, () => this.#text());
    this.#entries = new Map(entries.map((entry) => [entry.id, entry]));
  }

  /** Entries of an earlier boot of the machine, or of a file that is damaged, are forgotten. */
  static async open(folder: string): Promise<Ledger> {
    const path = join(folder, 'ledger.json');
    return new Ledger(path, await readEntries(path));
  }

  entries(): readonly LedgerEntry[] {
    return [...this.#entries.values()];
  }

  /** Resolves once it is written. */
  async put(entry: LedgerEntry): Promise<void> {
    this.#entries.set(entry.id, entry);
    await this.#file.save();
  }

  async remove(id: string): Promise<void> {
    if (this.#entries.delete(id)) await this.#file.save();
  }

  #text(): string {
    const content: LedgerFile = { version: 1, bootId: bootId(), replicas: this.entries() };
    return JSON.stringify(content);
  }
}

const readEntries = async (path: string): Promise<readonly LedgerEntry[]> => {
  try {
    const content = JSON.parse(await readFile(path, 'utf8')) as Partial<LedgerFile>;
    return content.version === 1 && content.bootId === bootId() ? (content.replicas ?? []) : [];
  } catch {
    return [];
  }
};
