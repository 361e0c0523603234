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

/** The first of `count` ports, each `step` above the one before, that are free on loopback. */
export const freePort = async (count = 1, step = 1): Promise<number> => {
  for (let tries = 0; tries < 500; tries += 1) {
    const port = next;
    next = firstPort + ((next + 1 - firstPort) % ports);
    const wanted = Array.from({ length: count }, (_, index) => port + index * step);
    if ((await Promise.all(wanted.map(isFree))).every(Boolean)) return port;
  }
  throw new Error('no free port was found');
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
