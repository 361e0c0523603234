import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { capacityConformance } from './capacity.conformance.ts';
import { deadlinesConformance } from './deadlines.conformance.ts';
import { failuresConformance } from './failures.conformance.ts';
import { httpConformance } from './http.conformance.ts';
import { originConformance } from './origin.conformance.ts';
import { recordsConformance } from './records.conformance.ts';
import { refusalsConformance, strictBodyBytes } from './refusals.conformance.ts';
import { sharingConformance } from './sharing.conformance.ts';
import { smugglingConformance } from './smuggling.conformance.ts';
import { upgradeConformance } from './upgrade.conformance.ts';
import { TestNode, type OpenPlane } from './test-node.testing.ts';

/** What an implementation cannot do, and why: by the name of a test, or of one of its cases. */
export type Cannot = { readonly [test: string]: string };

/**
 * What `data-plane.ts` promises, held against one implementation: real listeners, real replicas, three nodes, and a
 * strict one with little patience and small bounds.
 */
export const dataPlaneConformance = (name: string, open: OpenPlane, cannot: Cannot = {}): void => {
  describe(`data plane ${name}`, () => {
    let started: readonly TestNode[] = [];

    beforeEach(({ task, skip }) => {
      const why = cannot[task.name] ?? cannot[`${task.suite?.name}: ${task.name}`] ?? cannot[task.suite?.name ?? ''];
      if (why !== undefined) skip(why);
    });

    beforeAll(async () => {
      const names = ['a', 'b', 'c'];
      started = await Promise.all([
        ...names.map((name) => TestNode.start(name, open)),
        TestNode.start('strict', open, {
          peerAckMs: 1_200,
          maxBodyBytes: strictBodyBytes,
          upgradeIdleMs: 200,
          trustedProxies: ['10.0.0.0/8', '127.0.0.0/8'],
        }),
      ]);
    }, 120_000);

    afterAll(async () => {
      await Promise.all(started.map((node) => node.stop()));
    }, 120_000);

    const nodes = () => {
      const [a, b, c] = started as [TestNode, TestNode, TestNode];
      return { a, b, c };
    };
    const strict = () => started[3] as TestNode;

    sharingConformance(nodes);
    httpConformance(nodes);
    smugglingConformance(nodes, (vector) => cannot[`smuggling: ${vector}`] === undefined);
    failuresConformance(nodes, strict, open);
    refusalsConformance(nodes, strict);
    originConformance(nodes, strict);
    deadlinesConformance(nodes);
    capacityConformance(nodes);
    upgradeConformance(nodes, strict);
    recordsConformance(nodes, open);
  });
};
