import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';

/** The processes whose command line names `folder`: agents, data planes, replicas and idle workers kept below it. */
export const processesOf = (folder: string): readonly { readonly pid: number; readonly command: string }[] =>
  execFileSync('ps', ['-axww', '-o', 'pid=,stat=,command='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ pid: Number(match[1]), state: match[2]!, command: match[3]! }))
    .filter(({ pid, state, command }) => pid !== process.pid && !state.startsWith('Z') && command.includes(folder));

/** A process that has ended already is no fault. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Below the ports that outgoing connections take, so that a node which is down finds its own free when it comes back. */
const firstPort = 21_000;
const ports = 7_000;
let next = firstPort + Math.floor(Math.random() * ports);

/** Test files that run at the same time choose from blocks of their own: what is free may not be listened at yet. */
const block = 50;
const pools = 10;
const pool = Number(process.env['VITEST_POOL_ID'] ?? 0) % pools;

/** A port for which those that are `offsets` above it are free on loopback. */
export const freePort = async (offsets: readonly number[] = [0]): Promise<number> => {
  for (let tries = 0; tries < ports; tries += 1) {
    const port = next;
    next = firstPort + ((next + 1 - firstPort) % ports);
    const wanted = offsets.map((offset) => port + offset);
    const own = wanted.every((one) => Math.floor(one / block) % pools === pool);
    if (own && (await Promise.all(wanted.map(isFree))).every(Boolean)) return port;
  }
  throw new Error('no free port was found');
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
