import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { functionKey } from '../../domain/ids.ts';
import { ManualClock } from '../../std/clock.ts';
import type { Demand } from '../data-plane.ts';
import { WaitingRoom } from './waiting-room.ts';

const key = functionKey('fn');

const listen = (server: Server, path: string): Promise<void> => new Promise((resolve) => server.listen(path, resolve));
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A room beside an HAProxy that has room for no call, while replicas of the function start elsewhere. */
const open = async (): Promise<{ room: WaitingRoom; clock: ManualClock; demands: Demand[]; path: string }> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-room-'));
  const [path, again] = [join(folder, 'wait.sock'), join(folder, 'again.sock')];
  const facts = 'queue=1000&width=1&service=10&running=1&starting=1';
  const haproxy = createServer((_, response) =>
    response.writeHead(503, { 'X-Skein-Verdict': 'wait', 'X-Skein-Reason': 'full', 'X-Skein-Facts': facts }).end(),
  );
  await listen(haproxy, again);
  const clock = new ManualClock();
  const demands: Demand[] = [];
  const room = new WaitingRoom({ again, nodeName: 'n', clock, onDemand: (demand) => demands.push(demand) });
  await room.listen(path);
  onTestFinished(async () => {
    room.close();
    haproxy.close();
    haproxy.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  });
  return { room, clock, demands, path };
};

it('forgets a function of which nothing waits any more, and wants nothing more for it', async () => {
  const { room, clock, demands, path } = await open();
  const headers = { 'X-Skein-Function': key, 'X-Skein-Waits': '1', 'X-Skein-Deadline': '60000' };
  const sent = request({ socketPath: path, headers, agent: false }).on('error', () => {});
  sent.end();
  // One waits and one runs, as HAProxy said.
  await expect.poll(() => (room.tellAgain(), demands.at(-1)?.inFlight)).toBe(2);
  sent.destroy();
  await expect.poll(() => room.queued()[key]).toBe(0);
  clock.advance(60_000);
  expect(room.queued()).toEqual({});
  await soon();
  demands.length = 0;
  clock.advance(60_000);
  await soon();
  expect(demands).toEqual([]);
});
