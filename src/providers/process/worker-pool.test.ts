import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ManualClock, systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { Folders } from './folders.ts';
import { RunningProcess } from './running-process.ts';
import { prepareRuntime } from './runtime.ts';
import { specialise, WorkerPool } from './worker-pool.ts';

let folder: string;
let folders: Folders;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-w-'));
  folders = new Folders(join(folder, 'state'), join(folder, 'run'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it('keeps nobody waiting for a worker once it is stopped', async () => {
  const pool = new WorkerPool({
    clock: systemClock,
    log: silentLog,
    folders,
    runtime: () => prepareRuntime(folders.runtime),
    mounts: async () => undefined,
    size: 0,
  });
  await pool.stop();
  await expect(pool.take()).rejects.toMatchObject({ code: 'unavailable' });
});

it('says at once that a worker which ended before it was told what to be becomes no function', async () => {
  const child = spawn('/bin/sh', ['-c', 'exit 3'], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  await once(child, 'exit');
  const process = RunningProcess.ofChild(child as ChildProcess & { readonly pid: number });
  const worker = { slot: folders.slot('r0'), child, process, secretsFolder: folder, secretsPath: folder };
  const told = { entry: join(folder, 'index.mjs'), handler: 'auto', env: {} } as const;
  // A time that never comes.
  await expect(specialise(new ManualClock(), worker, told, 1)).rejects.toThrow('it ended before it was ready (code 3)');
});
