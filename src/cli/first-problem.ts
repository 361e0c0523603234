import { setTimeout as pause } from 'node:timers/promises';
import type { FunctionAtNode } from '../domain/function.ts';
import type { Client } from './client.ts';
import { sayNodes } from './say-nodes.ts';

const askEveryMs = 100;

/**
 * Where a function that was just deployed does not start, and why (`node-1, node-2: WHY`); undefined when it does, or nothing is known `until` then
 * (of `performance.now()`), or the gateway is one that does not say.
 */
export const firstProblem = async (
  name: string,
  namespace: string | undefined,
  { client, until }: { readonly client: Pick<Client, 'describe'>; readonly until: number },
): Promise<string | undefined> => {
  for (;;) {
    const { nodes = [] } = await client.describe(name, namespace).catch(() => ({ nodes: [] }));
    const ill = nodes.filter(({ state, problem }) => state === 'starting' && problem !== undefined);
    if (nodes.every(isSettled) || performance.now() > until)
      return ill.length === 0 ? undefined : sayNodes(ill, ({ problem }) => `: ${problem}`);
    await pause(askEveryMs);
  }
};

const isSettled = ({ state, problem }: FunctionAtNode): boolean =>
  problem !== undefined || (state !== 'starting' && state !== 'behind');
