import type { NodeId } from '../domain/ids.ts';
import { nodeIdOfPublicKey } from '../membership/identity.ts';
import { MemoryMembership } from '../membership/memory/memory-membership.ts';
import { MemoryNetwork, type Conditions } from '../membership/memory/memory-network.ts';
import type { Message } from '../membership/message.ts';
import { ManualClock } from '../std/clock.ts';
import { seeded } from '../std/random.ts';
import { silentLog } from '../telemetry/log.ts';
import { describe, expect, it } from 'vitest';
import { Catalogue } from './catalogue.ts';
import { digest } from './digest.ts';
import { empty, merge } from './merge.ts';
import { MemoryCatalogueStore, type CatalogueStore } from './store.ts';

type Running = { readonly membership: MemoryMembership; readonly catalogue: Catalogue };

/** A node whose disk outlives it. */
class TestNode {
  readonly id: NodeId;
  readonly store: CatalogueStore;
  readonly #make: () => Running;
  #running: Running;

  constructor(id: NodeId, store: CatalogueStore, make: () => Running) {
    this.id = id;
    this.store = store;
    this.#make = make;
    this.#running = make();
  }

  get catalogue(): Catalogue {
    return this.#running.catalogue;
  }

  get membership(): MemoryMembership {
    return this.#running.membership;
  }

  async start(): Promise<void> {
    this.#running = this.#make();
    await this.catalogue.start();
    await this.membership.start();
  }

  async stop(): Promise<void> {
    await this.catalogue.stop();
    await this.membership.stop();
  }
}

/** Catalogues over a memory network under virtual time: the same run from the same seed. */
class TestFederation {
  readonly clock = new ManualClock(1_800_000_000_000);
  readonly network: MemoryNetwork;
  readonly nodes: readonly TestNode[];

  static async started(count: number, seed: number, conditions: Partial<Conditions> = {}): Promise<TestFederation> {
    const federation = new TestFederation(count, seed, conditions);
    for (const node of federation.nodes) await node.start();
    return federation;
  }

  private constructor(count: number, seed: number, conditions: Partial<Conditions>) {
    const { clock } = this;
    const network = new MemoryNetwork({ clock, random: seeded(seed), conditions });
    this.network = network;
    this.nodes = Array.from({ length: count }, (_, n) => {
      const self = nodeIdOfPublicKey(n.toString(16).padStart(64, '0'));
      const store = new MemoryCatalogueStore();
      return new TestNode(self, store, () => {
        const membership = new MemoryMembership({ clock, log: silentLog, network, identity: { id: self } });
        const random = seeded(seed * 1000 + n);
        return { membership, catalogue: new Catalogue({ store, membership, clock, random, log: silentLog, self }) };
      });
    });
  }

  /** Lets virtual time pass in steps, with what became ready between them. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 20) {
      this.clock.advance(20);
      await turn();
    }
  }

  /** Virtual milliseconds until `condition` holds; throws when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number): Promise<number> {
    for (let passed = 0; passed <= limitMs; passed += 20) {
      if (condition()) return passed;
      await this.pass(20);
    }
    throw new Error(`it did not happen within ${limitMs} ms of virtual time`);
  }

  /** Stops those that run, lets days go by, and starts them again: a cheap way to grow old. */
  async age(running: readonly TestNode[], days: number): Promise<void> {
    for (let day = 0; day < days; day += 3) {
      for (const node of running) await node.stop();
      this.clock.advance(3 * 24 * 3_600_000);
      for (const node of running) await node.start();
      await this.pass(100_000);
    }
  }
}

/** A turn of the event loop: everything that waits for a promise goes on. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What all have stored, tombstones too, is the same. */
const agree = async (nodes: readonly TestNode[]): Promise<boolean> => {
  const digests = await Promise.all(
    nodes.map(async ({ store }) => digest(merge(empty, (await store.load()).records).state).join()),
  );
  return new Set(digests).size === 1;
};

const shown = ({ catalogue }: TestNode): readonly string[] =>
  catalogue.list('').map(({ key, value }) => `${key}=${String(value)}`);

const put = async ({ catalogue }: TestNode, key: string, value: unknown): Promise<void> => {
  expect((await catalogue.put(key, value)).kind).toBe('written');
};

describe('one catalogue', () => {
  it('judges conditions at once, also of writes that are being stored', async () => {
    const { nodes } = await TestFederation.started(1, 1);
    const { catalogue } = nodes[0]!;
    const outcomes = await Promise.all([
      catalogue.put('x/a', 0, { ifPresent: true }),
      catalogue.put('x/a', 1, { ifAbsent: true }),
      catalogue.put('x/a', 2, { ifAbsent: true }),
      catalogue.put('x/a', 3, { ifPresent: true }),
      catalogue.remove('x/a'),
      catalogue.remove('x/a'),
      catalogue.put('x/a', 4, { ifAbsent: true }),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      'absent',
      'written',
      'exists',
      'written',
      'written',
      'absent',
      'written',
    ]);
    expect(catalogue.get('x/a')).toMatchObject({ value: 4, version: { counter: 4 } });
  });

  it('shows a write only once it is stored, and tells nobody of one that failed', async () => {
    const federation = await TestFederation.started(2, 2);
    const { nodes } = federation;
    await federation.pass(1_000);
    const [{ catalogue, store }, other] = [nodes[0]!, nodes[1]!];
    const append = store.append.bind(store);
    let refuse: (reason: Error) => void = () => {};
    store.append = () => new Promise((_, reject) => (refuse = reject));
    const failing = catalogue.put('x/a', 1);
    expect(catalogue.get('x/a')).toBeUndefined();
    refuse(new Error('disk full'));
    await expect(failing).rejects.toThrow('disk full');
    store.append = append;
    expect(catalogue.get('x/a')).toBeUndefined();
    expect(await catalogue.put('x/a', 2, { ifAbsent: true })).toMatchObject({
      kind: 'written',
      version: { counter: 2 },
    });
    void federation;
    expect(other.catalogue.get('x/a')).toBeUndefined();
  });

  it('refuses values that do not fit their key, and ones that are too large', async () => {
    const { nodes } = await TestFederation.started(1, 3);
    const { catalogue } = nodes[0]!;
    await expect(catalogue.put('function/openfaas-fn/a', { no: 'function' })).rejects.toMatchObject({
      code: 'invalid',
    });
    await expect(catalogue.put('x/a', null)).rejects.toMatchObject({ code: 'invalid' });
    await expect(catalogue.put('x/a', 'x'.repeat(300_000))).rejects.toMatchObject({ code: 'too-large' });
    await expect(catalogue.put('x'.repeat(600), 1)).rejects.toMatchObject({ code: 'too-large' });
    expect(catalogue.status()).toMatchObject({ records: 0, counter: 0 });
  });

  it('takes no writes before it started and after it stopped', async () => {
    const { nodes } = await TestFederation.started(1, 4);
    await nodes[0]!.stop();
    await expect(nodes[0]!.catalogue.put('x/a', 1)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('lists by prefix in order and tells listeners what changed', async () => {
    const { nodes } = await TestFederation.started(1, 5);
    const { catalogue } = nodes[0]!;
    const heard: string[] = [];
    const end = catalogue.onChange((keys) => heard.push(...keys));
    for (const key of ['x/b', 'x/a', 'y/a']) await catalogue.put(key, key);
    await catalogue.remove('x/b');
    end();
    await catalogue.put('x/c', 1);
    expect(heard).toEqual(['x/b', 'x/a', 'y/a', 'x/b']);
    expect(catalogue.list('x/').map(({ key }) => key)).toEqual(['x/a', 'x/c']);
  });

  it('goes on with its counter after a restart', async () => {
    const { nodes } = await TestFederation.started(1, 6);
    await put(nodes[0]!, 'x/a', 1);
    await nodes[0]!.stop();
    await nodes[0]!.start();
    expect(await nodes[0]!.catalogue.put('x/a', 2)).toMatchObject({ version: { counter: 2 } });
  });
});

describe('several catalogues', () => {
  it('agree within two seconds of a write anywhere', async () => {
    const federation = await TestFederation.started(5, 7, { delayMs: { min: 1, max: 100 }, reorder: true });
    await federation.pass(2_000);
    await Promise.all(federation.nodes.map((node, n) => put(node, `x/${n}`, n)));
    await federation.nodes[0]!.catalogue.put('x/clash', 'a');
    await federation.nodes[4]!.catalogue.put('x/clash', 'b');
    const tookMs = await federation.until(
      () => new Set(federation.nodes.map((node) => shown(node).join())).size === 1,
      2_000,
    );
    expect(tookMs).toBeLessThan(2_000);
    expect(shown(federation.nodes[2]!)).toHaveLength(6);
  });

  it('come to agree under loss, delay, repetition and partitions', { timeout: 60_000 }, async () => {
    for (const seed of [11, 12, 13]) {
      const federation = await TestFederation.started(4, seed, {
        delayMs: { min: 1, max: 300 },
        lossRate: 0.2,
        duplicateRate: 0.2,
        reorder: true,
      });
      const random = seeded(seed);
      const { nodes } = federation;
      for (let round = 0; round < 25; round++) {
        const parted = nodes.filter(() => random() < 0.5).map(({ id }) => id);
        if (round % 5 === 0) federation.network.partition([parted]);
        const node = nodes[Math.floor(random() * nodes.length)]!;
        const key = `x/${Math.floor(random() * 6)}`;
        if (random() < 0.3) await node.catalogue.remove(key);
        else await put(node, key, round);
        await federation.pass(Math.floor(random() * 2_000));
      }
      federation.network.heal();
      let equal = false;
      for (let waited = 0; waited < 120 && !equal; waited++) {
        await federation.pass(1_000);
        equal = await agree(nodes);
      }
      expect(equal, `seed ${seed}`).toBe(true);
      expect(new Set(nodes.map((each) => shown(each).join())).size, `seed ${seed}`).toBe(1);
    }
  });

  it('let one that was down catch up within two seconds, and bring nothing deleted back', async () => {
    const federation = await TestFederation.started(3, 21);
    const [a, b, c] = [federation.nodes[0]!, federation.nodes[1]!, federation.nodes[2]!];
    await federation.pass(2_000);
    for (const key of ['x/stays', 'x/goes', 'x/changes']) await put(a, key, 'old');
    await federation.pass(1_000);
    await c.stop();
    await b.catalogue.remove('x/goes');
    await put(b, 'x/changes', 'new');
    await put(a, 'x/comes', 'new');
    await federation.pass(5_000);
    await c.start();
    await federation.until(() => shown(c).join() === 'x/changes=new,x/comes=new,x/stays=old', 2_000);
    await federation.pass(40_000);
    for (const node of federation.nodes) expect(shown(node)).toEqual(['x/changes=new', 'x/comes=new', 'x/stays=old']);
  });

  it('carry a catalogue larger than a message to a newcomer', async () => {
    const federation = await TestFederation.started(2, 22);
    const [a, b] = [federation.nodes[0]!, federation.nodes[1]!];
    await b.stop();
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => put(a, `x/${n}`, 'y'.repeat(1_000))));
    await b.start();
    await federation.until(() => shown(b).length === 1_200, 5_000);
  });

  it('keep quiet when nothing changes', async () => {
    const federation = await TestFederation.started(12, 23);
    await put(federation.nodes[0]!, 'x/a', 1);
    await federation.pass(10_000);
    const sent = (): number => federation.nodes.reduce((sum, { membership }) => sum + membership.counters().sent, 0);
    const before = sent();
    await federation.pass(60_000);
    // Two digests and two answers each, in a minute.
    expect(sent() - before).toBeLessThanOrEqual(12 * 2 * 2 + 12);
  });

  it('start together without a storm', async () => {
    const federation = await TestFederation.started(20, 24);
    await put(federation.nodes[0]!, 'x/a', 1);
    await federation.pass(10_000);
    expect(federation.nodes.every(({ catalogue }) => catalogue.get('x/a') !== undefined)).toBe(true);
    const sent = federation.nodes.map(({ membership }) => membership.counters().sent);
    // About one comparison for each pair, of two messages, beside a few with records.
    expect(sent.reduce((sum, count) => sum + count, 0)).toBeLessThan(20 * 19 * 2.5);
  });

  it('keep and pass on what a later version wrote, and show no value that makes no sense', async () => {
    const federation = await TestFederation.started(3, 25);
    await federation.pass(1_000);
    const records = [
      { key: 'function/openfaas-fn/a', version: { counter: 1, node: 'later' }, value: { odd: true }, at: 1 },
      { key: 'from-the-future/a', version: { counter: 2, node: 'later' }, value: { any: 'thing' }, at: 1 },
      { key: 'x/frozen', version: { counter: Number.MAX_SAFE_INTEGER, node: 'evil' }, value: 1, at: 1 },
    ];
    const message: Message = { kind: 'records', records };
    await federation.nodes[0]!.membership.send(federation.nodes[1]!.id, message);
    await federation.pass(62_000);
    for (const { catalogue } of federation.nodes.slice(1)) {
      expect(catalogue.get('function/openfaas-fn/a')).toBeUndefined();
      expect(catalogue.get('from-the-future/a')).toMatchObject({ value: { any: 'thing' } });
      expect(catalogue.get('x/frozen')).toBeUndefined();
      expect(catalogue.status()).toMatchObject({ invalid: 1, behind: 0 });
    }
    expect(federation.nodes[1]!.catalogue.status().refused).toBe(1);
  });
});

describe('a tombstone older than its time', () => {
  it('is not taken back by one that forgot it, and still deletes what it was meant for', async () => {
    const federation = await TestFederation.started(2, 26);
    const [a, b] = [federation.nodes[0]!, federation.nodes[1]!];
    await federation.pass(1_000);
    await put(b, 'x/meant', 1);
    const at = federation.clock.now() - 15 * 24 * 3_600_000;
    const version = { counter: 50, node: 'late' };
    const records = ['x/meant', 'x/forgotten'].map((key) => ({ key, version, value: null, at }));
    await a.membership.send(b.id, { kind: 'records', records });
    await federation.pass(100);
    expect(b.catalogue.status()).toMatchObject({ records: 0, tombstones: 1, refused: 1 });
  });
});

describe('a node that was away for longer than tombstones live', () => {
  const setUp = async (
    seed: number,
  ): Promise<{ federation: TestFederation; a: TestNode; b: TestNode; c: TestNode }> => {
    const federation = await TestFederation.started(3, seed);
    const [a, b, c] = [federation.nodes[0]!, federation.nodes[1]!, federation.nodes[2]!];
    for (const key of ['x/stays', 'x/goes']) await put(a, key, 'old');
    await federation.age(federation.nodes, 3);
    return { federation, a, b, c };
  };

  it('brings nothing deleted back, and keeps what it wrote in the meantime', { timeout: 60_000 }, async () => {
    const { federation, a, b, c } = await setUp(31);
    federation.network.partition([[c.id]]);
    await put(c, 'x/own', 'kept');
    await federation.pass(200);
    await c.stop();
    await b.catalogue.remove('x/goes');
    await federation.age([a, b], 18);
    expect(a.catalogue.status().tombstones).toBe(0);
    federation.network.heal();
    await c.start();
    expect(shown(c)).toEqual(['x/goes=old', 'x/own=kept', 'x/stays=old']);
    expect(c.catalogue.status().away).toBe(true);
    await federation.pass(10_000);
    for (const node of federation.nodes) expect(shown(node)).toEqual(['x/own=kept', 'x/stays=old']);
    await federation.pass(65_000);
    expect(c.catalogue.status()).toMatchObject({ away: false, behind: 0 });
    expect(await agree(federation.nodes)).toBe(true);
    await c.stop();
    await c.start();
    expect(shown(c)).toEqual(['x/own=kept', 'x/stays=old']);
  });

  it('loses nothing when the whole federation was down that long', { timeout: 60_000 }, async () => {
    const { federation, a, b, c } = await setUp(32);
    await b.catalogue.remove('x/goes');
    await put(c, 'x/late', 'kept');
    for (const node of [a, b, c]) await node.stop();
    federation.clock.advance(60 * 24 * 3_600_000);
    for (const node of [c, a, b]) await node.start();
    await federation.pass(10_000);
    for (const node of federation.nodes) expect(shown(node)).toEqual(['x/late=kept', 'x/stays=old']);
    await federation.pass(100_000);
    expect(a.catalogue.status().away).toBe(false);
  });

  it('keeps its tombstones while it is parted from most others', { timeout: 60_000 }, async () => {
    const { federation, a, b, c } = await setUp(33);
    await a.stop();
    await b.stop();
    await c.catalogue.remove('x/goes');
    await federation.age([c], 18);
    expect(c.catalogue.status()).toMatchObject({ tombstones: 1, away: true });
    await a.start();
    await b.start();
    await federation.pass(10_000);
    for (const node of federation.nodes) expect(shown(node)).toEqual(['x/stays=old']);
  });
});
