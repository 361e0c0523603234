import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '../../domain/errors.ts';
import { functionKey } from '../../domain/ids.ts';
import type { FunctionRef } from '../../domain/function.ts';
import { endChildren } from './end-children.ts';

/** What `sun_path` holds, without its end mark. */
const socketPathBytes = process.platform === 'linux' ? 107 : 103;

const idPattern = /^r[0-9a-f]{10}/;

/** A new name for a replica: short, because sockets carry it. */
const newId = (): string => `r${randomBytes(5).toString('hex')}`;

/** One replica's own place on disk. */
export type Slot = {
  readonly id: string;
  readonly folder: string;
  /** Its copy of the bundle, where it runs. */
  readonly bundle: string;
  /** Files with the secrets it was given; there only when it has some. */
  readonly secrets: string;
  /** The only place it may write to in node mode. */
  readonly tmp: string;
  /** Where its output goes until it belongs to a function. */
  readonly log: string;
  readonly socket: string;
  /** Where a watchdog keeps pipes and request bodies. */
  readonly scratch: string;
  /** Where it writes which processes run. */
  readonly children: string;
};

/** Where things are: `slots/ID/`, `logs/FUNCTION/ID.log`, `ledger.json` in the state folder, sockets in the run folder. */
export class Folders {
  readonly state: string;
  readonly run: string;

  /** `invalid` when a socket in `run` would have a path too long for the system. */
  constructor(state: string, run: string) {
    this.state = state;
    this.run = run;
    const length = Buffer.byteLength(this.socket(`${newId()}w`));
    if (length > socketPathBytes) {
      throw new SkeinError(
        'invalid',
        `the folder for sockets ${run} is ${length - socketPathBytes} bytes too long for unix sockets: choose a shorter one`,
      );
    }
  }

  async make(): Promise<void> {
    for (const folder of [this.state, this.run, join(this.state, 'slots'), join(this.state, 'logs')]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // It may have been there before: sockets and environments are nobody else's business.
      await chmod(folder, 0o700);
    }
  }

  /** The code of workers and watchdogs. */
  get runtime(): string {
    return join(this.state, 'runtime');
  }

  socket(id: string): string {
    return join(this.run, id);
  }

  slot(id: string): Slot {
    const folder = join(this.state, 'slots', id);
    return {
      id,
      folder,
      bundle: join(folder, 'bundle'),
      secrets: join(folder, 'secrets'),
      tmp: join(folder, 'tmp'),
      log: join(folder, 'log'),
      socket: this.socket(id),
      scratch: join(folder, 'scratch'),
      children: join(folder, 'children'),
    };
  }

  async makeSlot(): Promise<Slot> {
    const slot = this.slot(newId());
    await mkdir(slot.bundle, { recursive: true, mode: 0o700 });
    await mkdir(slot.tmp, { mode: 0o700 });
    return slot;
  }

  /** Ends and removes what is left of a replica that ended, except its log. */
  async clear(id: string): Promise<void> {
    const slot = this.slot(id);
    await endChildren(slot.children);
    await Promise.all([
      rm(slot.folder, { recursive: true, force: true }),
      rm(slot.socket, { force: true }),
      rm(`${slot.socket}w`, { force: true }),
    ]);
  }

  /** Removes slots and sockets of replicas that `keep` does not name. */
  async clearOthers(keep: ReadonlySet<string>): Promise<void> {
    const found = [...(await names(join(this.state, 'slots'))), ...(await names(this.run))];
    const ids = new Set(found.map((name) => idPattern.exec(name)?.[0]).filter((id) => id !== undefined));
    for (const id of ids) if (!keep.has(id)) await this.clear(id);
  }

  logs(ref: FunctionRef): string {
    return join(this.state, 'logs', functionKey(ref.name, ref.namespace));
  }
}

const names = async (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => []);
