import { setTimeout as pause } from 'node:timers/promises';
import { SkeinError } from '../domain/errors.ts';
import type { FunctionAtNode } from '../domain/function.ts';
import type { Client } from './client.ts';
import { sayNodes } from './say-nodes.ts';

export type Waiting = {
  readonly client: Pick<Client, 'describe'>;
  /** Told how it goes on, a line whenever that changes. */
  tell(line: string): void;
  readonly timeoutMs: number;
};

const askEveryMs = 200;

/**
 * Resolves when what was deployed last answers at every node where it is to live: its replicas are ready there, or its first
 * call starts one. `timeout` names the nodes that are late; `unavailable` when it is to live at no node that is there.
 */
export const untilReady = async (name: string, namespace: string | undefined, needs: Waiting): Promise<void> => {
  const giveUpAt = performance.now() + needs.timeoutMs;
  let told = '';
  for (;;) {
    const { nodes = [] } = await needs.client.describe(name, namespace);
    const late = nodes.filter(({ state }) => state !== 'ready' && state !== 'elsewhere');
    const ready = nodes.filter(({ state }) => state === 'ready').length;
    if (late.length === 0 && ready > 0) return;
    if (late.length === 0 && nodes.length > 0) {
      throw new SkeinError('unavailable', `${name} is deployed, and no node that is there meets its constraints`);
    }
    const missing = sayNodes(late, sayLate);
    const line = `waiting for ${name}: ready at ${ready} of ${ready + late.length} nodes (${missing})`;
    if (line !== told) needs.tell((told = line));
    if (performance.now() > giveUpAt) {
      const sentence = `${name} is deployed, but does not answer everywhere in time: ${missing || 'no node told of it'}`;
      throw new SkeinError('timeout', `${sentence}; \`skein describe ${name}\` shows how it goes on`);
    }
    await pause(askEveryMs);
  }
};

const sayLate = ({ state, replicas, availableReplicas, problem }: FunctionAtNode): string => {
  const how = state === 'starting' && replicas > 0 ? `starting, ${availableReplicas} of ${replicas}` : state;
  return problem === undefined ? ` ${how}` : ` ${how}: ${problem}`;
};
