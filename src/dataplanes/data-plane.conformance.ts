import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { capacityConformance } from './capacity.conformance.ts';
import { deadlinesConformance } from './deadlines.conformance.ts';
import { failuresConformance } from './failures.conformance.ts';
import { httpConformance } from './http.conformance.ts';
import { originConformance } from './origin.conformance.ts';
import { recordsConformance } from './records.conformance.ts';
import { refusalsConformance } from './refusals.conformance.ts';
import { sharingConformance } from './sharing.conformance.ts';
import { smugglingConformance } from './smuggling.conformance.ts';
import { upgradeConformance } from './upgrade.conformance.ts';
import { TestNode, type OpenPlane } from './test-node.testing.ts';

/** What an implementation cannot do, and why: by the name of a test, or of one of its cases. */
export type Cannot = { readonly [test: string]: string };

/** What `data-plane.ts` promises, held against one implementation: real listeners, real replicas, three nodes. */
export const dataPlaneConformance = (name: string, open: OpenPlane, cannot: Cannot = {}): void => {
  describe(`data plane ${name}`, () => {
    let started: readonly TestNode[] = [];

    beforeEach(({ task, skip }) => {
      const why = cannot[task.name] ?? cannot[`${task.suite?.name}: ${task.name}`] ?? cannot[task.suite?.name ?? ''];
      if (why !== undefined) skip(why);
    });

    beforeAll(async () => {
      started = await Promise.all(['a', 'b', 'c'].map((node) => TestNode.start(node, open)));
    }, 60_000);

    afterAll(async () => {
      await Promise.all(started.map((node) => node.stop()));
    }, 60_000);

    const nodes = () => {
      const [a, b, c] = started as [TestNode, TestNode, TestNode];
      return { a, b, c };
    };

    sharingConformance(nodes);
    httpConformance(nodes);
    smugglingConformance(nodes, (vector) => cannot[`smuggling: ${vector}`] === undefined);
    failuresConformance(nodes, open);
    refusalsConformance(nodes, open);
    originConformance(nodes, open);
    deadlinesConformance(nodes);
    capacityConformance(nodes);
    upgradeConformance(nodes, open);
    recordsConformance(open);
  });
};
