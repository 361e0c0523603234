import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { nodeId } from '../../domain/ids.ts';
import type { Plan } from '../../routing/plan.ts';
import { ManualClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { PlanFile } from './plan-file.ts';

const plan = (version: number): Plan => ({
  version,
  node: { id: nodeId('n'), name: 'n' },
  slots: 1,
  draining: false,
  peers: [],
  functions: {},
});

const opened = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-plan-file-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'plan.json');
  const clock = new ManualClock();
  const planFile = new PlanFile({ file, clock, log: silentLog });
  const onDisk = async () => (JSON.parse(await readFile(file, 'utf8')) as Plan).version;
  return { file, clock, planFile, onDisk };
};

it('the first plan is written at once, for this user alone', async () => {
  const { file, planFile, onDisk } = await opened();
  planFile.save(() => plan(1));
  await planFile.flush();
  expect(await onDisk()).toBe(1);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await planFile.read()).toEqual(plan(1));
});

it('those that follow within a second are written once, the newest, when it is over', async () => {
  const { clock, planFile, onDisk } = await opened();
  planFile.save(() => plan(1));
  await planFile.flush();
  const asked: number[] = [];
  for (const version of [2, 3, 4]) {
    planFile.save(() => {
      asked.push(version);
      return plan(version);
    });
  }
  clock.advance(999);
  expect([await onDisk(), asked]).toEqual([1, []]);
  clock.advance(1);
  expect(asked).toEqual([4]);
  await planFile.flush();
  expect([await onDisk(), asked]).toEqual([4, [4]]);
});

it('what waits is written at once where that is asked for, also when it came while another was being written', async () => {
  const { planFile, onDisk } = await opened();
  for (const version of [1, 2]) planFile.save(() => plan(version));
  await planFile.flush();
  expect(await onDisk()).toBe(2);
  planFile.save(() => plan(3));
  await planFile.flush();
  expect(await onDisk()).toBe(3);
});

it('a file that is not there is none, one that is no plan is said to be so, and a folder that is gone costs the file alone', async () => {
  const { file, planFile } = await opened();
  expect(await planFile.read()).toBeUndefined();
  await writeFile(file, '{"ver');
  await expect(planFile.read()).rejects.toThrow('JSON');
  const said: string[] = [];
  const log = { error: (_facts: object, message: string) => void said.push(message) };
  const nowhere = new PlanFile({ file: join(file, 'below'), clock: new ManualClock(), log });
  nowhere.save(() => plan(1));
  await nowhere.flush();
  expect(said).toEqual(['the plan could not be kept on disk']);
});
