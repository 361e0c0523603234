import { describe, it, type TestContext } from 'vitest';
import { setTimeout as pause } from 'node:timers/promises';
import { call, eventually, Gate, saying } from '../calls.testing.ts';
import { pidOf, startsNodes } from '../opened-nodes.testing.ts';
import { functionPlan, type TestNode } from '../test-node.testing.ts';
import type { EmbeddedDataPlane } from './embedded-data-plane.ts';
import { openEmbedded } from './open.testing.ts';

// What these wait for is time that goes by: they wait together.
describe.concurrent('an embedded plane’s process that is frozen', () => {
  const start = async (answerMs: number, { onTestFinished }: TestContext): Promise<TestNode<EmbeddedDataPlane>> => {
    const node = await startsNodes((facts) => openEmbedded(facts, { answerMs }))('frozen', {}, onTestFinished);
    await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))]) });
    return node;
  };
  const pair = ({ onTestFinished }: TestContext): Promise<readonly [TestNode, TestNode]> => {
    const open = startsNodes((facts) => openEmbedded(facts));
    return Promise.all([open('a', { peerAckMs: 1_500 }, onTestFinished), open('b', {}, onTestFinished)]);
  };
  const observes = (node: TestNode<EmbeddedDataPlane>): Promise<boolean> =>
    node.plane.observe().then(
      () => true,
      () => false,
    );

  it('is replaced by one with the last plan when it leaves several questions in a row unanswered', async (context) => {
    const { expect } = context;
    const node = await start(300, context);
    const pid = pidOf(node);
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually(async () => !(await observes(node)), 'it is silent');
      await eventually(async () => (await observes(node)) && pidOf(node) !== pid, 'there is another');
      expect((await call(`${node.url}/function/kept`)).body).toBe('yes');
    } finally {
      // The test's own: it may be gone by now.
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
  });

  it('is left alone when it only stood still for one question', async (context) => {
    const { expect } = context;
    const node = await start(3_000, context);
    const pid = pidOf(node);
    process.kill(pid, 'SIGSTOP');
    expect(await observes(node)).toBe(false);
    process.kill(pid, 'SIGCONT');
    await eventually(() => observes(node), 'it answers');
    expect(pidOf(node)).toBe(pid);
  });

  it('makes those who wait for a call that it took know within seconds, whatever time calls may take', async (context) => {
    const { expect } = context;
    const [a, b] = await pair(context);
    const gate = new Gate();
    const slow = { timeoutMs: 600_000 };
    await b.apply(4, { slow: functionPlan([await b.replica('slow', gate.listener)], slow) }, [a.asPeer(4)]);
    const peers = [{ id: b.id, weight: 1 }];
    await a.apply(4, { slow: functionPlan([], { policy: 'ranked', peers, ...slow }) }, [b.asPeer(4)]);
    const calling = call(`${a.url}/function/slow`, { body: 'x' });
    await gate.arrived(1);
    const pid = pidOf(b);
    process.kill(pid, 'SIGSTOP');
    try {
      expect(await calling).toMatchObject({ status: 504, reason: 'timeout' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    gate.open();
  });

  it('is not what a peer is whose function takes long', async (context) => {
    const { expect } = context;
    const [a, b] = await pair(context);
    const gate = new Gate();
    await b.apply(4, { slow: functionPlan([await b.replica('slow', gate.listener)]) }, [a.asPeer(4)]);
    const peers = [{ id: b.id, weight: 1 }];
    await a.apply(4, { slow: functionPlan([], { policy: 'ranked', peers }) }, [b.asPeer(4)]);
    const calling = call(`${a.url}/function/slow`, { body: 'x' });
    await gate.arrived(1);
    // Longer than it takes to find out one that is frozen.
    await pause(8_000);
    gate.open();
    expect((await calling).body).toBe('through');
  });
});
