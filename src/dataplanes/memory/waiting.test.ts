import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { functionKey } from '../../domain/ids.ts';
import { ownPlaces } from '../../routing/occupancy.ts';
import { systemClock, type Clock } from '../../std/clock.ts';
import { call, eventually, Gate, saying } from '../calls.testing.ts';
import { selfSigned } from '../certificate.ts';
import { startsNodes } from '../opened-nodes.testing.ts';
import { functionPlan } from '../test-node.testing.ts';
import { alone, type Turns } from '../turns.ts';
import { openMemory } from './open.testing.ts';

describe('a plane whose calls wait', () => {
  it('tells other threads of those that a slot would help, and of no others', async () => {
    const forSlots = new Map<string, boolean>();
    const turns: Turns = {
      ...alone,
      tell: (key, since, forSlot) => void (since === undefined ? forSlots.delete(key) : forSlots.set(key, forSlot)),
    };
    const start = startsNodes((facts) => openMemory(facts, { shared: { places: ownPlaces, turns } }));
    const node = await start('turns');
    const gate = new Gate();
    const replica = await node.replica('gated', gate.listener);
    const silent = { ...node.asPeer(1), id: (await start('silent')).id };
    const functions = {
      room: functionPlan([replica]),
      limited: functionPlan([replica], { maxInFlight: 1 }),
      elsewhere: functionPlan([], { peers: [{ id: silent.id, weight: 1, limit: { kind: 'in-flight', count: 0 } }] }),
    };
    await node.apply(2, functions, [silent]);
    const asked = (name: string) => call(`${node.url}/function/${name}`);
    const calls = [asked('limited')];
    await gate.arrived(1);
    calls.push(asked('room'));
    await gate.arrived(2);
    calls.push(asked('limited'), asked('room'), asked('elsewhere'));
    const wanted = Object.entries({ room: true, limited: false, elsewhere: false });
    await eventually(() => forSlots.size === 3, 'one of each waits');
    expect(forSlots).toEqual(new Map(wanted.map(([name, forSlot]) => [functionKey(name), forSlot])));
    gate.open();
    await Promise.all(calls);
    expect(forSlots.size).toBe(0);
  });

  it('asks for a replica again as time goes by, and not each time that it looks for one', async () => {
    const clock: Clock = {
      ...systemClock,
      every: (ms, tick) => (ms === 10 ? () => undefined : systemClock.every(ms, tick)),
    };
    const start = startsNodes((facts) => openMemory(facts, { clock }));
    const node = await start('demands');
    let demands = 0;
    node.plane.onDemand(() => {
      demands += 1;
    });
    const cold = functionPlan([], { canStart: true });
    await node.apply(4, { cold });
    const calls = [1, 2, 3].map(() => call(`${node.url}/function/cold`));
    await eventually(async () => (await node.observed('cold')).inFlight === 3, 'all have room');
    await turn();
    const before = demands;
    for (let version = 0; version < 20; version += 1) {
      await node.apply(4, { cold });
      await turn();
    }
    expect([before > 0, demands - before]).toEqual([true, 0]);
    await node.apply(4, { cold: functionPlan([await node.replica('warm', saying('warm'))]) });
    expect((await Promise.all(calls)).map(({ body }) => body)).toEqual(['warm', 'warm', 'warm']);
  });

  it('refuses what a peer sent that left the plan while the body came', async () => {
    const start = startsNodes((facts) => openMemory(facts));
    const [node, peer] = await Promise.all([start('node'), start('peer')]);
    const planned = { asked: functionPlan([await node.replica('asked', saying('yes'))]) };
    await node.apply(4, planned, [peer.asPeer(4)]);
    const sent = httpsRequest({
      ...(await selfSigned(peer.facts.identity.privateKey, Date.now())),
      host: '127.0.0.1',
      port: node.plane.address().peer.port,
      path: '/function/asked',
      method: 'POST',
      headers: { 'Content-Length': '4', 'X-Skein-Hop': '1' },
      rejectUnauthorized: false,
      agent: false,
    });
    sent.write('ha');
    await eventually(async () => (await node.observed('asked')).received[peer.id] === 1, 'its head is there');
    await node.apply(4, planned);
    sent.end('lf');
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    expect([answer.statusCode, answer.headers['x-skein-reason']]).toEqual([403, 'not-a-peer']);
    answer.destroy();
  });
});
