import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, SkeinError } from '../domain/errors.ts';

const maxBytes = 64 * 1024;

/**
 * The text of a file that only its owner may read. When there is none, the text of `create` is written first: whole or
 * not at all, mode 0600, and of several processes that try at once one wins and all read the same. `what` names the
 * content in errors. `invalid` for a file that others may read, that is too long, or whose folder is missing.
 */
export const loadOrCreateSecret = async (file: string, what: string, create: () => string): Promise<string> => {
  const present = await load(file, what);
  if (present !== undefined) return present;
  await writeOnce(file, what, create());
  const written = await load(file, what);
  if (written === undefined) throw new SkeinError('internal', `${file} vanished while it was being written`);
  return written;
};

/** The same for a file that an operator wrote: `invalid` also when there is none. */
export const readSecret = async (file: string, what: string): Promise<string> => {
  const present = await load(file, what);
  if (present !== undefined) return present;
  throw new SkeinError('invalid', `there is no ${file}, which should hold ${what}: write it, with mode 600`);
};

const load = async (file: string, what: string): Promise<string | undefined> => {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return undefined;
    throw new SkeinError('invalid', `cannot read ${what} in ${file}: ${messageOf(error)}`, { cause: error });
  });
  if (handle === undefined) return undefined;
  try {
    const { mode, size } = await handle.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new SkeinError(
        'invalid',
        `others may read ${what} in ${file} (mode ${(mode & 0o777).toString(8)}): run "chmod 600 ${file}", or remove it and let a new one be made`,
      );
    }
    if (size > maxBytes) throw new SkeinError('invalid', `${file} is too long to hold ${what}: name another file`);
    return await handle.readFile('utf8');
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError('invalid', `cannot read ${what} in ${file}: ${messageOf(error)}`, { cause: error });
  } finally {
    await handle.close();
  }
};

/** A link to a finished file appears whole, and fails where another was faster: that one is kept. */
const writeOnce = async (file: string, what: string, text: string): Promise<void> => {
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file);
    await syncFolder(dirname(file));
  } catch (error) {
    if (isCode(error, 'EEXIST')) return;
    const advice = isCode(error, 'ENOENT') ? 'create its folder first' : messageOf(error);
    throw new SkeinError('invalid', `cannot write ${what} to ${file}: ${advice}`, { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
};

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
