import type { RequestListener } from 'node:http';
import { expect, it } from 'vitest';
import { SkeinError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/ids.ts';
import { ManualClock, systemClock } from '../../std/clock.ts';
import { providerConformance, type Behaviour } from '../provider.conformance.ts';
import type { FunctionSpec } from '../provider.ts';
import { MemoryProvider } from './memory-provider.ts';

const listenerOf = (behaviour: Behaviour): RequestListener => {
  if (behaviour.kind === 'broken') throw new Error('the code is broken');
  if (behaviour.kind === 'answers') return (_, response) => response.end(behaviour.text);
  return (_, response) => {
    response.write('first');
    setTimeout(() => response.end('last'), 1000);
  };
};

/** The behaviour is written in the environment, so that equal functions are equal. */
const codeOf = (spec: FunctionSpec): (() => Promise<RequestListener>) => {
  const behaviour = JSON.parse(spec.deployment.envVars?.['behaviour'] ?? '') as Behaviour;
  if (behaviour.kind === 'impossible') throw new SkeinError('invalid', 'it cannot run');
  return async () => listenerOf(behaviour);
};

const digest = `sha256:${'0'.repeat(64)}` as Digest;

providerConformance('MemoryProvider', async () => {
  const provider = new MemoryProvider({ clock: systemClock, code: codeOf, maxReplicas: 20 });
  return {
    provider,
    spec: async (ref, revision, behaviour, env = {}) => ({
      ref,
      revision,
      digest,
      deployment: {
        service: ref.name,
        image: 'code:1',
        envVars: { ...env, behaviour: JSON.stringify(behaviour) },
      },
    }),
    crash: async ({ id }) => provider.crash(id),
    close: async () => provider.stop(),
  };
});

it('tries a function that did not start again after a pause', async () => {
  const clock = new ManualClock();
  let broken = true;
  const code = () => async (): Promise<RequestListener> => {
    if (broken) throw new Error('not yet');
    return (_, response) => response.end();
  };
  const provider = new MemoryProvider({ clock, code, maxReplicas: 1 });
  const ref = { name: 'late', namespace: 'openfaas-fn' };
  await expect(
    provider.deploy({ ref, revision: '1', digest, deployment: { service: 'late', image: 'code:1' } }, 1),
  ).rejects.toMatchObject({ code: 'unavailable' });
  broken = false;
  const ready = new Promise<void>((resolve) => provider.onChange(() => resolve()));
  clock.advance(1000);
  await ready;
  expect(provider.resolve(ref)).toHaveLength(1);
  provider.stop();
});
