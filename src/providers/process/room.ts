import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { SkeinError } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import { settledWithin } from './wait.ts';

/** A mount namespace with an empty folder in memory at `place`. It lasts until it is closed and no process is in it. */
export type Room = {
  /** That folder, as this process sees it, until the room is closed. */
  readonly folder: string;
  /** From then on nobody can write there. `unavailable`. */
  seal(): Promise<void>;
  /**
   * What to start instead of a program, so that the program runs in the room: as the same process, with the rights of this one, and with the
   * environment and the files that it is given.
   */
  enter(program: Entering): Omit<Entering, 'folder'>;
  /** To be called when all that entered runs. Again it changes nothing. */
  close(): void;
};

type Entering = {
  readonly command: string;
  readonly args: readonly string[];
  /** Where it runs. */
  readonly folder: string;
};

export type RoomNeeds = {
  readonly clock: Clock;
  /** `user`: in a user namespace, for those who may not mount otherwise. */
  readonly kind: 'root' | 'user';
  /** Absolute paths, of util-linux, and a shell. */
  readonly tools: { readonly unshare: string; readonly nsenter: string; readonly mount: string; readonly sh: string };
  /** Absolute, without symbolic links. */
  readonly place: string;
  /** The nearest folder above it that is there; `place` itself when it is. */
  readonly base: string;
};

const answerMs = 10_000;

/**
 * Arranges a namespace and holds it. Where `place` is not there, and cannot be made, `base` becomes a folder in memory with all
 * that was in it bound to where it was. What is bound is named from the working folder, which stays the old one.
 */
const script = `set -eu
umask 077
mount=$1 base=$2 place=$3 table=$4
shift 4
if [ "$base" != "$place" ]; then
  cd "$base"
  "$mount" -n -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$base"
  for name in "$@"; do
    if [ -L "$name" ]; then cp -P -- "$name" "$base/$name"; else : >"$base/$name"; fi
  done
  umask 022
  mkdir -p -- "$place"
  printf '%s\\n' "$table" >"$place/table"
  "$mount" -n -a -c -T "$place/table"
  "$mount" -n -o remount,bind,ro "$base"
fi
"$mount" -n -t tmpfs -o mode=0700,nosuid,nodev,noexec tmpfs "$place"
echo open
read -r seal || exit 0
"$mount" -n -o remount,bind,ro "$place"
echo sealed
read -r close || exit 0
`;

export const openRoom = async (needs: RoomNeeds): Promise<Room> => {
  const { clock, kind, tools, place, base } = needs;
  const { table, others } = base === place ? { table: '', others: [] } : await bindings(base);
  const [make, join, leave] = kind === 'root' ? [[], [], []] : userNamespace();
  const holder = spawn(
    tools.unshare,
    // What is mounted and unmounted outside later, is inside too.
    ['--mount', '--propagation=slave', ...make, '--', tools.sh, '-c', script, 'sh'].concat(
      [tools.mount, base, place, table],
      others,
    ),
    { cwd: '/', env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, detached: true },
  );
  const fault = Promise.withResolvers<never>();
  fault.promise.catch(() => {});
  let said = '';
  holder.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, 2000)));
  holder.on('error', (error) => fault.reject(noRoom(error.message)));
  holder.on('close', () => fault.reject(noRoom(said.trim())));
  holder.stdin.on('error', () => {});
  const close = (): void => void holder.stdin.end();
  const answered = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    holder.stdout.once('data', () => resolve());
    const answer = Promise.race([promise, fault.promise]);
    if (!(await settledWithin(clock, answerMs, answer))) fault.reject(noRoom(`nothing happened for ${answerMs} ms`));
    await answer.catch((error: unknown) => {
      close();
      throw error;
    });
  };

  await answered();
  return {
    folder: `/proc/${holder.pid}/root${place}`,
    seal: () => {
      holder.stdin.write('seal\n');
      return answered();
    },
    enter: ({ command, args, folder }) => ({
      command: tools.nsenter,
      args: [`--target=${holder.pid}`, '--mount', ...join, '--', tools.unshare].concat(
        [...leave, `--wd=${folder}`, '--', command],
        args,
      ),
    }),
    close,
  };
};

/** For making it, joining it, and being in it who one was before: a user namespace inside, without power over the mounts. */
const userNamespace = (): readonly [readonly string[], readonly string[], readonly string[]] => [
  ['--map-root-user'],
  ['--user', '--preserve-credentials'],
  [`--map-user=${process.getuid?.()}`, `--map-group=${process.getgid?.()}`],
];

/** What is in a folder: a table that binds its folders and files to where they were, and the names of what is no folder. */
const bindings = async (base: string): Promise<{ readonly table: string; readonly others: readonly string[] }> => {
  const lines: string[] = [];
  const others: string[] = [];
  for (const entry of await readdir(base, { withFileTypes: true })) {
    const name = `./${entry.name}`;
    const how = entry.isDirectory() ? 'rbind,nofail,x-mount.mkdir' : 'bind,nofail';
    if (!entry.isDirectory()) others.push(name);
    if (!entry.isSymbolicLink()) lines.push(`${escaped(name)} ${escaped(`${base}/${entry.name}`)} none ${how} 0 0`);
  }
  return { table: lines.join('\n'), others };
};

/** As fstab(5) wants it. */
const escaped = (path: string): string =>
  path.replace(/[\s\\#]/g, (found) => `\\${found.charCodeAt(0).toString(8).padStart(3, '0')}`);

const noRoom = (why: string): SkeinError =>
  new SkeinError(
    'unavailable',
    `it gets no folder for its secrets: ${why}; where mount namespaces were turned off, start the node again`,
  );
