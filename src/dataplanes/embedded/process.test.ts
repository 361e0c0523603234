import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../std/clock.ts';
import { begun, call, echo, eventually, Gate, saying, times } from '../calls.testing.ts';
import {
  adopted,
  applyToKilled,
  pidOf,
  replacedByAnotherVersion,
  startsNodes,
  startsWithoutAgent,
} from '../opened-nodes.testing.ts';
import { functionPlan } from '../test-node.testing.ts';
import { openEmbedded } from './open.testing.ts';

describe('the embedded plane’s process', () => {
  const start = startsNodes((facts) => openEmbedded(facts));
  const rssOf = (pid: number): number =>
    1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

  it('goes on with its plan when the agent is gone, and the next agent adopts it with its counters', async () => {
    const node = await start('alone');
    const pid = pidOf(node);
    const next = await adopted(node, openEmbedded);
    expect(pidOf(node)).toBe(pid);
    await next.stop(0);
  });

  it('sends to peers what needs a start while there is no agent, and keeps for the next one what no peer runs', async () => {
    await startsWithoutAgent(start, openEmbedded);
  });

  it('is started again with the last plan when it is killed', async () => {
    const node = await start('killed');
    await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))]) });
    const pid = pidOf(node);
    process.kill(pid, 'SIGKILL');
    await eventually(async () => {
      try {
        return (await call(`${node.url}/function/kept`)).body === 'yes';
      } catch {
        return false;
      }
    }, 'it serves again');
    expect(pidOf(node)).not.toBe(pid);
  });

  it('is replaced by that of an agent of another version, with its plan', async () => {
    await replacedByAnotherVersion(await start('upgraded'), openEmbedded);
  });

  it('is not said to have a plan in force while it is being started again, and has it then', async () => {
    await applyToKilled(await start('killed'));
  });

  it('reads its plan from disk when there is no agent to tell it', async () => {
    const node = await start('restored');
    await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))]) });
    const plan = join(node.facts.folder, 'plan.json');
    await eventually(() => existsSync(plan) && readFileSync(plan, 'utf8').includes('kept'), 'the plan is on disk');
    await node.plane.release();
    process.kill(pidOf(node), 'SIGKILL');
    const next = await openEmbedded(node.facts);
    await next.start();
    expect((await call(`http://127.0.0.1:${next.address().gateway.port}/function/kept`)).body).toBe('yes');
    await next.stop(0);
  });

  it('that is killed as it starts is told of at once, and not by the words of the one before', async () => {
    const node = await start('doomed');
    await node.plane.release();
    const before = pidOf(node);
    process.kill(before, 'SIGKILL');
    // It looks at the clock when it has begun the process, which has not come to say anything then.
    const clock = { ...systemClock, monotonic: () => (killNext(), systemClock.monotonic()) };
    const killNext = (): void => {
      const pid = existsSync(join(node.facts.folder, 'plane.pid')) ? pidOf(node) : before;
      if (pid === before || pid === killed) return;
      process.kill(pid, 'SIGKILL');
      killed = pid;
    };
    let killed: number | undefined;
    const next = await openEmbedded(node.facts, { clock });
    await expect(next.start()).rejects.toThrow('the data plane did not start: it said nothing (log: ');
  });

  it('leaves none behind when it is stopped while it is being started again', async () => {
    const node = await start('stopped');
    const pid = pidOf(node);
    process.kill(pid, 'SIGKILL');
    await eventually(
      () =>
        node.plane.observe().then(
          () => false,
          () => true,
        ),
      'the agent knows',
    );
    await node.plane.stop(0);
    expect(() => pidOf(node)).toThrow('ENOENT');
  });

  it('that is frozen costs a timeout and another try, and 504 where a body was sent', async () => {
    const [a, b, c] = await Promise.all([start('a', { peerAckMs: 2_000 }), start('b'), start('c')]);
    for (const peer of [b, c]) {
      await peer.apply(4, { shared: functionPlan([await peer.replica('shared', echo)]) }, [a.asPeer(4)]);
    }
    const peers = [
      { id: b.id, weight: 1 },
      { id: c.id, weight: 1 },
    ];
    const shared = functionPlan([], { policy: 'ranked', peers });
    await a.apply(4, { shared }, [b.asPeer(4), c.asPeer(4)]);
    expect((await call(`${a.url}/function/shared`)).node).toBe('b');
    const pid = pidOf(b);
    process.kill(pid, 'SIGSTOP');
    try {
      expect(await call(`${a.url}/function/shared`, { body: 'x' })).toMatchObject({ status: 504, reason: 'timeout' });
      expect((await call(`${a.url}/function/shared`, { body: 'x' })).node).toBe('c');
      await eventually(async () => (await a.observed('shared')).inFlight === 0, 'nothing is left of it');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('keeps its memory while it streams 200 MB through a slow reader', async () => {
    const node = await start('streaming');
    const size = 200_000_000;
    const replica = await node.replica('stream', (_request, response) => {
      let written = 0;
      const chunk = Buffer.alloc(262_144);
      const more = (): void => {
        while (written < size) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    await node.apply(4, { stream: functionPlan([replica], { timeoutMs: 150_000 }) });
    const pid = pidOf(node);
    const before = rssOf(pid);
    const answer = await begun(`${node.url}/function/stream`);
    let [length, most, chunks] = [0, 0, 0];
    for await (const chunk of answer) {
      length += (chunk as Buffer).length;
      chunks += 1;
      if (chunks % 100 === 0) most = Math.max(most, rssOf(pid));
      if (chunks % 300 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(length).toBeGreaterThanOrEqual(size);
    expect(most - before).toBeLessThan(100_000_000);
  }, 180_000);

  it('leaves nothing behind after thousands of calls of every kind', async () => {
    const [a, b] = await Promise.all([start('a'), start('b')]);
    const odd = await b.replica('odd', (request, response) => {
      const path = request.url ?? '';
      if (path.includes('break')) return void request.socket.destroy();
      if (path.includes('half'))
        return void response.writeHead(200, { 'content-length': '9' }).write('half', () => request.socket.destroy());
      request.pipe(response);
    });
    await b.apply(6, { mixed: functionPlan([odd], { maxRate: 900, queueMs: 100 }) }, [a.asPeer(6)]);
    const here = await a.replica('mixed', echo);
    const mixed = functionPlan([here, a.goneReplica('gone')], {
      peers: [{ id: b.id, weight: 1 }],
      queueMs: 200,
      timeoutMs: 3_000,
    });
    await a.apply(2, { mixed }, [b.asPeer(6)]);
    const long = randomBytes(80_000);
    const agent = new Agent({ keepAlive: true });
    const one = async (index: number): Promise<void> => {
      const path = index % 10 === 1 ? '/break' : index % 10 === 2 ? '/half' : '/whole';
      const body = index % 50 === 0 ? long : index % 3 === 0 ? 'short' : undefined;
      if (index % 25 === 7) {
        const answer = fetch(`${a.url}/function/mixed${path}`, { signal: AbortSignal.timeout(index % 5) });
        await answer.then((got) => got.text()).catch(() => undefined);
        return;
      }
      await call(`${a.url}/function/mixed${path}`, { agent, ...(body !== undefined && { body }) }).catch(
        () => undefined,
      );
    };
    const wave = async (calls: number): Promise<number> => {
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < calls) await one(next++);
      };
      await Promise.all(times(24, worker));
      for (const node of [a, b]) {
        await eventually(async () => {
          const { inFlight, queued, peers, functions } = await node.plane.observe();
          const rest = Object.values(functions).reduce((sum, of) => sum + of.inFlight + of.queued, 0);
          return inFlight + queued + rest + Object.values(peers).reduce((sum, of) => sum + of.outstanding, 0) === 0;
        }, 'all counters are zero');
      }
      return readdirSync(`/proc/${pidOf(a)}/fd`).length;
    };
    const before = await wave(1_000);
    const after = await wave(4_000);
    expect(after).toBeLessThanOrEqual(before + 30);
    agent.destroy();
    expect((await call(`${a.url}/function/mixed/x`, { body: 'still' })).body).toBe('still');
  }, 180_000);

  it('tells nobody who cannot open its socket, and survives what it cannot read', async () => {
    const node = await start('robust');
    const gate = new Gate();
    await node.apply(4, { gated: functionPlan([await node.replica('gated', gate.listener)]) });
    const running = call(`${node.url}/function/gated`);
    await gate.arrived(1);
    const socket = connect(join(node.facts.folder, 'plane.sock'));
    socket.write('no JSON\n{"kind":"plan","id":1,"plan":{}}\n');
    let told = '';
    for await (const chunk of socket) {
      told += String(chunk);
      if (told.includes('failed')) break;
    }
    expect(told).toContain('failed');
    gate.open();
    expect((await running).body).toBe('through');
  });
});
