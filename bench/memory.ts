import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { runLoad } from '../src/loadtest/run-load.ts';
import { freeNodes, inRepository } from './lib/federation.ts';
import { positive, readOptions } from './lib/options.ts';
import { pssOf, roleOf, treeOf, type Role } from './lib/processes.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { sum } from './lib/statistics.ts';

const about = `The memory of all processes of \`skein up\` (three nodes with the sample functions): proportional set size (PSS), when nothing was
called yet, right after a load, and a while later. Pages that processes share count once in all.`;

const options = readOptions('memory', about, {
  rate: { help: 'calls per second of burn?sleep=50 at node-1', fallback: '300' },
  seconds: { help: 'length of the load', fallback: '20' },
  settle: { help: 'seconds of quiet before each look but the one after the load', fallback: '10' },
});

const roles: readonly Role[] = ['up', 'agent', 'plane', 'worker', 'other'];
const names: Readonly<Record<Role, string>> = {
  up: 'skein up',
  agent: 'agents',
  plane: 'data planes',
  worker: 'workers (pool and replicas)',
  other: 'others',
};

type Usage = Readonly<Record<Role, { readonly count: number; readonly bytes: number }>>;

const usageOf = (root: number): Usage => {
  const processes = treeOf(root).map((one) => ({ role: roleOf(one), bytes: pssOf(one.pid) }));
  const of = (role: Role) => {
    const found = processes.filter((one) => one.role === role);
    return [role, { count: found.length, bytes: sum(found.map(({ bytes }) => bytes)) }] as const;
  };
  return Object.fromEntries(roles.map(of)) as Usage;
};

const measure = async (): Promise<readonly (readonly [string, Usage])[]> => {
  const data = await mkdtemp(join(tmpdir(), 'skein-bench-'));
  const [first] = await freeNodes([4, 8, 16]);
  const port = first!.ports.gateway;
  const up = spawn(inRepository('bin/skein'), ['up', '--data', data, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => up.once('exit', () => resolve()));
  const interrupted = (): void => void up.kill('SIGTERM');
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    await Promise.race([saysTry(up.stdout), ended.then(() => Promise.reject(new Error('skein up ended')))]);
    const looks: [string, Usage][] = [];
    const look = (when: string): void => void looks.push([when, usageOf(up.pid ?? 0)]);
    const settleMs = positive(options.settle) * 1000;
    await pause(settleMs);
    look('idle');
    const target = `http://127.0.0.1:${port}/function/burn?sleep=50`;
    await runLoad({ target, rate: positive(options.rate), durationMs: positive(options.seconds) * 1000 });
    look('after load');
    await pause(settleMs);
    look('later');
    return looks;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    up.kill('SIGTERM');
    await ended;
    await rm(data, { recursive: true, force: true });
  }
};

/** Its last words before it waits, when the samples are deployed. */
const saysTry = async (output: NodeJS.ReadableStream): Promise<void> => {
  const lines = createInterface({ input: output });
  await new Promise<void>((resolve) => lines.on('line', (line) => line === 'Try:' && resolve()));
};

const megabytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0);

const tableOf = (looks: readonly (readonly [string, Usage])[]): Table => {
  const total = (usage: Usage, of: 'count' | 'bytes'): number => sum(roles.map((role) => usage[role][of]));
  return {
    title: '`skein up`, three nodes: PSS',
    header: ['processes', ...looks.flatMap(([when]) => [`${when}: number`, `${when}: MiB`])],
    rows: [
      ...roles
        .filter((role) => looks.some(([, usage]) => usage[role].count > 0))
        .map((role) => [
          names[role],
          ...looks.flatMap(([, usage]) => [String(usage[role].count), megabytes(usage[role].bytes)]),
        ]),
      ['all', ...looks.flatMap(([, usage]) => [String(total(usage, 'count')), megabytes(total(usage, 'bytes'))])],
    ],
  };
};

const machine = machineNow();
const looks = await measure();
publish(
  {
    name: 'memory',
    settings: `${options.rate}/s of burn?sleep=50 for ${options.seconds} s; ${options.settle} s of quiet before "idle" and "later"`,
    tables: [tableOf(looks)],
    data: Object.fromEntries(looks),
  },
  machine,
  options,
);
