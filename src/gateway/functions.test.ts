import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { ManualClock } from '../std/clock.ts';
import { createFunctionsService } from './functions.ts';
import type { FunctionHost, FunctionsService } from './needs.ts';
import { aloneCatalogue, digestOf } from './node.fixture.ts';

const digest = digestOf(Buffer.from('a bundle'));
const figlet = { service: 'figlet', image: 'figlet:1' };
const ref = { name: 'figlet', namespace: 'openfaas-fn' };

let catalogue: Catalogue;
let clock: ManualClock;
let functions: FunctionsService;
let peers: FunctionHost[];
/** How many functions there were when it was waited for a plan. */
let planned: number[];

const host = (name: string, list: FunctionHost['list']): FunctionHost => ({
  id: name,
  name,
  list,
  scale: async () => {},
  logs: async function* () {},
});

beforeEach(async () => {
  catalogue = aloneCatalogue('node-1');
  await catalogue.start();
  clock = new ManualClock();
  peers = [];
  const here = host('node-1', async () => []);
  const images = { resolve: async (image: string) => (image === 'figlet:1' ? digest : undefined) };
  const secrets = { missing: () => [] };
  planned = [];
  const inForce = async (): Promise<void> => void planned.push(catalogue.list('function/').length);
  functions = createFunctionsService({ catalogue, images, secrets, here, peers: () => peers, inForce, clock });
});

afterEach(async () => catalogue.stop());

describe('functions of the federation', () => {
  it('lets one of several deploys at the same moment win', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => functions.deploy(figlet)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('never brings a removed function back by an update that was under way', async () => {
    await functions.deploy(figlet);
    const update = functions.update({ ...figlet, labels: { a: '1' } });
    const outcomes = await Promise.allSettled([functions.remove(ref), update]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(functions.status(ref)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('has deployed one when calls to it find it', async () => {
    await functions.deploy(figlet);
    expect(planned).toEqual([1]);
  });

  it('pins what the image means at that moment', async () => {
    await functions.deploy(figlet);
    expect(catalogue.list('function/')[0]?.value).toMatchObject({ digest, deployment: figlet });
  });

  it.each([
    ['Figlet One', 'invalid reference format: "Figlet One" is no NAME:TAG'],
    ['registry.example:5000/fn', 'skein build DIR --image registry.example:5000/fn:latest --push'],
    [`fn@sha256:${'a'.repeat(64)}`, 'skein build DIR --image fn:latest --push'],
  ])('says of the image %j what can be done', async (image, sentence) => {
    const message = expect.stringContaining(sentence) as string;
    await expect(functions.deploy({ ...figlet, image })).rejects.toMatchObject({ code: 'invalid', message });
  });

  it('waits no longer than its bound for a silent node, and stops asking it', async () => {
    await functions.deploy(figlet);
    const signals: AbortSignal[] = [];
    peers.push(
      host('node-2', (signal) => {
        signals.push(signal);
        return new Promise(() => {});
      }),
      host('node-3', () => Promise.reject(new Error('refused'))),
    );
    const answer = functions.list('openfaas-fn');
    await setImmediate();
    clock.advance(500);
    const { functions: listed, unreachable } = await answer;
    expect(unreachable).toEqual(['node-2', 'node-3']);
    expect(listed).toHaveLength(1);
    expect(signals[0]?.aborted).toBe(true);
  });
});
