import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { call, echo, eventually, Gate, saying, times } from '../../calls.testing.ts';
import { adopted, pidOf, startsNodes } from '../../opened-nodes.testing.ts';
import { functionPlan, type PlaneFacts } from '../../test-node.testing.ts';
import { openEmbedded } from '../open.testing.ts';
import { ownOffsetMs } from './aligned-clock.ts';
import { SharedMemory } from './shared-memory.ts';
import { ThreadCarrier } from './thread-carrier.ts';

const open = (facts: PlaneFacts) => openEmbedded(facts, { threads: 2 });

describe('an embedded plane of two threads', () => {
  const start = startsNodes(open);

  /** Each on a connection of its own: the kernel gives them to the threads as it likes. */
  const manyCalls = (url: string, name: string, count: number) => times(count, () => call(`${url}/function/${name}`));

  it('keeps every bound for all threads together, and loses nothing below it', async () => {
    const node = await start('bounds');
    const { url } = node;
    let running = 0;
    let most = 0;
    const replica = await node.replica('narrow', (_request, response) => {
      running += 1;
      most = Math.max(most, running);
      setImmediate(() => {
        running -= 1;
        response.end('done');
      });
    });
    const narrow = functionPlan([{ ...replica, maxInFlight: 3 }], { maxInFlight: 3, queueMs: 20_000 });
    await node.apply(8, { narrow });
    const answers = await Promise.all(manyCalls(url, 'narrow', 180));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
    await eventually(async () => (await node.observed('narrow')).served === 180, 'all are counted');
    expect(await node.observed('narrow')).toMatchObject({ entered: 180, inFlight: 0, queued: 0 });
  });

  it('wakes calls that wait in one thread when there is room in another', async () => {
    const node = await start('wakes');
    const { url } = node;
    const gate = new Gate();
    const replica = await node.replica('gated', gate.listener);
    await node.apply(2, { gated: functionPlan([replica], { queueMs: 30_000 }) });
    const calls = manyCalls(url, 'gated', 24);
    await eventually(async () => (await node.observed('gated')).queued === 22, 'all but two wait');
    gate.open();
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await node.plane.observe()).queued).toBe(0);
  });

  it('goes on with its plan when the agent is gone, and the next agent adopts it with the counters of all', async () => {
    const node = await start('alone');
    const { url } = node;
    await node.apply(4, { kept: functionPlan([await node.replica('kept', echo)]) });
    await Promise.all(manyCalls(url, 'kept', 12));
    const pid = pidOf(node);
    await node.plane.release();
    await Promise.all(manyCalls(url, 'kept', 12));
    const next = await open(node.facts);
    await next.start();
    expect([next.adopted, pidOf(node)]).toEqual([true, pid]);
    expect((await next.observe()).functions).toMatchObject({ 'kept.openfaas-fn': { entered: 24, served: 24 } });
    await next.stop(0);
  });

  it('is started again with the last plan when it is killed, with all its threads', async () => {
    const node = await start('killed');
    await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))]) });
    const pid = pidOf(node);
    process.kill(pid, 'SIGKILL');
    const served = async (): Promise<boolean> => {
      try {
        const answers = await Promise.all(manyCalls(node.url, 'kept', 12));
        return answers.every(({ body }) => body === 'yes');
      } catch {
        return false;
      }
    };
    await eventually(served, 'all of them serve again');
    expect(pidOf(node)).not.toBe(pid);
  });

  it('finishes what runs in any thread before it ends', async () => {
    const node = await start('drained');
    const { url } = node;
    const gate = new Gate();
    await node.apply(20, { slow: functionPlan([await node.replica('slow', gate.listener)]) });
    const calls = manyCalls(url, 'slow', 12);
    await gate.arrived(12);
    const stopped = node.plane.stop(20_000);
    const refused = (): Promise<boolean> =>
      call(`${url}/healthz`).then(
        ({ status }) => status !== 200,
        () => true,
      );
    await eventually(refused, 'nothing new is taken');
    gate.open();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(times(12, () => 200));
    await stopped;
  });

  it('takes no port that another plane has, which shares it among its own threads', async () => {
    const node = await start('first');
    const folder = await mkdtemp(join(tmpdir(), 'skein-plane-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const second = await openEmbedded({ ...node.facts, folder, name: 'second' }, { threads: 2, port: node.port });
    await writeFile(
      join(folder, 'identity.pem'),
      node.facts.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    );
    await expect(second.start()).rejects.toThrow(`${node.port}`);
  });

  it('is adopted only with as many threads as are wanted', async () => {
    const node = await start('fewer');
    const next = await adopted(node, open);
    const pid = pidOf(node);
    // Which would begin again what ends without its word.
    await next.release();
    const single = await openEmbedded(node.facts);
    await single.start();
    expect([single.adopted, pidOf(node) === pid]).toEqual([false, false]);
    await single.stop(0);
  });
});

it('a thread that cannot go on says so', async () => {
  const node = { folder: await mkdtemp(join(tmpdir(), 'skein-thread-')) };
  onTestFinished(() => rm(node.folder, { recursive: true, force: true }));
  const lost = new Promise<string>((resolve) => {
    void ThreadCarrier.open({
      settings: {
        version: '1',
        gateway: { host: '127.0.0.1', port: 0 },
        peer: { host: '127.0.0.1', port: 0 },
        controlSocket: join(node.folder, 'plane.sock'),
        systemSocket: join(node.folder, 'system.sock'),
        peerSystemSocket: join(node.folder, 'peers.sock'),
        identityFile: join(node.folder, 'no-such-file.pem'),
        planFile: join(node.folder, 'plan.json'),
        nodeName: 'lost',
        logLevel: 'silent',
        logFormat: 'json',
        peerAckMs: 1_000,
        maxHeaderBytes: 16_384,
        maxBodyBytes: 0,
        upgradeIdleMs: 1_000,
        trustedProxies: [],
        threads: 2,
      },
      memory: SharedMemory.create(2).bytes,
      thread: 1,
      threads: 2,
      clockOffsetMs: ownOffsetMs(),
      onDemand: () => undefined,
      onCall: undefined,
      onLost: resolve,
    });
  });
  expect(await lost).toContain('no-such-file.pem');
});
