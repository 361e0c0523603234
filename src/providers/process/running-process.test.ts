import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { systemClock } from '../../std/clock.ts';
import { RunningProcess } from './running-process.ts';

const begin = (command: string): ChildProcess & { readonly pid: number } => {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: 'ignore' });
  if (child.pid === undefined) throw new Error('there is no /bin/sh');
  return child as ChildProcess & { readonly pid: number };
};

const ends = [
  ['exit 3', 'exited with code 3'],
  ['kill -KILL $$', 'was ended by SIGKILL'],
] as const;

it.each(ends)('tells how a child that does `%s` ended', async (command, how) => {
  expect(await RunningProcess.ofChild(begin(command)).exited).toBe(how);
});

it.each(ends)('tells how a child that did `%s` ended before anybody asked', async (command, how) => {
  const child = begin(command);
  await once(child, 'exit');
  const running = RunningProcess.ofChild(child);
  expect(await running.exited).toBe(how);
  await running.end(systemClock);
  expect(running.gone).toBe(true);
});
