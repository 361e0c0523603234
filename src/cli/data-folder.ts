import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SkeinError, messageOf } from '../domain/errors.ts';

/** Makes the folder of a node, or of several, with those above it; for this user alone. `invalid` where it cannot be. */
export const makeDataFolder = (folder: string): void => {
  try {
    make(resolve(folder));
  } catch (cause) {
    throw new SkeinError('invalid', `the data folder ${folder} cannot be made: ${messageOf(cause)}`, { cause });
  }
};

/** One by one: Node's recursive `mkdir` never ends where nothing can be made, as in /proc. */
const make = (folder: string): void => {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(folder) !== folder) make(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Somebody else made it meanwhile.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
};
