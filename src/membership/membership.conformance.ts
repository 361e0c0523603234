import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createIdentity, nodeIdOfPublicKey, type Identity } from './identity.ts';
import type { Membership } from './membership.ts';
import {
  announcement,
  encodeMessage,
  maxMessageBytes,
  type Announcement,
  type Message,
  type NodeStatus,
} from './message.ts';

/** What an implementation brings along to be tested. */
export type MembershipFixture = {
  /** A member, not yet started, that begins with the addresses of `from`. */
  make(identity: Identity, from: readonly Membership[]): Membership;
  /** Puts `payloads` on the wire to `to`, one after another, as messages of one sender that `to` trusts. */
  inject(to: Membership, payloads: readonly Uint8Array[]): Promise<void>;
  /** Lets time pass until `condition` holds. */
  until(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
};

/** What every membership promises. */
export const membershipConformance = (name: string, open: () => MembershipFixture): void => {
  describe(`${name} keeps the membership contract:`, () => {
    let fixture: MembershipFixture;
    let started: Membership[] = [];

    beforeEach(() => {
      fixture = open();
      started = [];
    });

    afterEach(async () => {
      await Promise.all(started.map((member) => member.stop()));
      await fixture.close();
    });

    const join = async (from: readonly Membership[], identity = createIdentity()): Promise<Membership> => {
      const member = fixture.make(identity, from);
      started.push(member);
      await member.start();
      return member;
    };

    const sees = (member: Membership, other: Membership, state: 'alive' | 'gone' = 'alive'): boolean =>
      member.members().some(({ id, state: found }) => id === other.self && found === state);

    const pair = async (): Promise<[Membership, Membership]> => {
      const a = await join([]);
      const b = await join([a]);
      await fixture.until(() => sees(a, b) && sees(b, a));
      return [a, b];
    };

    const announcementOf = (member: Membership, of: Membership): Announcement | undefined =>
      member.members().find(({ id }) => id === of.self)?.announcement;

    const heardBy = (member: Membership): { from: string; message: Message }[] => {
      const heard: { from: string; message: Message }[] = [];
      member.onMessage((from, message) => heard.push({ from, message }));
      return heard;
    };

    it('all find each other, though each knew only one', async () => {
      const a = await join([]);
      const others = [await join([a]), await join([a]), await join([a])];
      const all = [a, ...others];
      await fixture.until(() => all.every((one) => all.every((other) => one === other || sees(one, other))));
      for (const { id, publicKey } of a.members()) expect(nodeIdOfPublicKey(publicKey)).toBe(id);
      expect(a.members()).toHaveLength(3);
    });

    it('tells who comes, and by what addresses it is reached', async () => {
      const a = await join([]);
      const counts: number[] = [];
      a.onChange((members) => counts.push(members.length));
      const b = await join([a]);
      await fixture.until(() => counts.includes(1));
      expect(b.addresses().length).toBeGreaterThan(0);
    });

    it('announcements reach all, newcomers too, and so do their changes', async () => {
      const [a, b] = await pair();
      a.announce(hello('first'));
      await fixture.until(() => announcementOf(b, a)?.name === 'first');
      expect(announcementOf(b, a)?.addresses).toEqual(a.addresses());
      const c = await join([b]);
      await fixture.until(() => announcementOf(c, a)?.name === 'first');
      a.announce(hello('second'));
      await fixture.until(() => announcementOf(b, a)?.name === 'second' && announcementOf(c, a)?.name === 'second');
    });

    it('an announcement made before the start is told after it', async () => {
      const a = await join([]);
      const b = fixture.make(createIdentity(), [a]);
      started.push(b);
      b.announce(hello('early'));
      await b.start();
      await fixture.until(() => announcementOf(a, b)?.name === 'early');
    });

    it('a broadcast reaches every other member once, and not the sender', async () => {
      const [a, b] = await pair();
      const c = await join([a]);
      await fixture.until(() => sees(c, b) && sees(b, c) && sees(a, c));
      const heard = [heardBy(a), heardBy(b), heardBy(c)];
      for (let n = 0; n < 5; n++) await a.broadcast(say(n));
      await b.broadcast(say('last'));
      await fixture.until(() => heard[0]?.length === 1 && heard[1]?.length === 5 && heard[2]?.length === 6);
      expect(heard[1]?.map(({ message }) => message)).toEqual([0, 1, 2, 3, 4].map(say));
      expect(heard[1]?.every(({ from }) => from === a.self)).toBe(true);
    });

    it('a message to one reaches that one, with the proven name of its sender', async () => {
      const [a, b] = await pair();
      const c = await join([a, b]);
      await fixture.until(() => sees(a, c) && sees(c, a) && sees(c, b));
      const heard = [heardBy(a), heardBy(b)];
      await c.send(b.self, say('to b'));
      await c.send(a.self, say('to a'));
      await fixture.until(() => heard[0]?.length === 1 && heard[1]?.length === 1);
      expect(heard[1]).toEqual([{ from: c.self, message: say('to b') }]);
    });

    it('long messages arrive whole and in order', async () => {
      const [a, b] = await pair();
      const heard = heardBy(b);
      const long = 'x'.repeat(maxMessageBytes - 200);
      await Promise.all([0, 1, 2, 3].map((n) => a.send(b.self, say(`${n}${long}`))));
      await fixture.until(() => heard.length === 4);
      expect(heard.map(({ message }) => message.kind === 'strategy' && String(message.payload)[0])).toEqual([
        '0',
        '1',
        '2',
        '3',
      ]);
    });

    it('of statuses the newest always arrives', async () => {
      const [a, b] = await pair();
      const heard = heardBy(b);
      for (let n = 1; n <= 50; n++) await a.broadcast({ kind: 'status', status: status(n) });
      await fixture.until(() =>
        heard.some(({ message }) => message.kind === 'status' && message.status.inFlight === 50),
      );
    });

    it('a message to nobody known, or to one that left, is unavailable', async () => {
      const [a, b] = await pair();
      await expect(a.send(createIdentity().id, say('?'))).rejects.toMatchObject({ code: 'unavailable' });
      await b.stop();
      await fixture.until(() => sees(a, b, 'gone'));
      await expect(a.send(b.self, say('?'))).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('one that left is gone, and alive again when it returns under its identity', async () => {
      const identity = createIdentity();
      const a = await join([]);
      const b = await join([a], identity);
      b.announce(hello('b'));
      await fixture.until(() => announcementOf(a, b)?.name === 'b');
      await b.stop();
      await fixture.until(() => sees(a, b, 'gone'));
      expect(announcementOf(a, b)?.name).toBe('b');
      const again = await join([a], identity);
      await fixture.until(() => sees(a, again) && sees(again, a));
      expect(again.self).toBe(b.self);
      expect(a.members()).toHaveLength(1);
    });

    it('what is too large is refused at the sender and harms nothing', async () => {
      const [a, b] = await pair();
      const heard = heardBy(b);
      const huge = say('x'.repeat(maxMessageBytes));
      await expect(a.send(b.self, huge)).rejects.toMatchObject({ code: 'too-large' });
      await a.broadcast(huge);
      await a.broadcast(say('small'));
      await fixture.until(() => heard.length > 0);
      expect(heard).toEqual([{ from: a.self, message: say('small') }]);
      expect(b.counters().rejected).toBe(0);
      const labels = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`${n}`, 'x'.repeat(250)]));
      expect(() => a.announce({ ...hello('a'), labels })).toThrow(expect.objectContaining({ code: 'too-large' }));
    });

    it('bad messages are counted and dropped, and the good one behind them is heard', async () => {
      const a = await join([]);
      const heard = heardBy(a);
      const bad = ['', 'nonsense', '{"v":1}', '{"v":99,"body":{"kind":"digest","buckets":[],"ask":true}}'];
      const payloads = [...bad.map((text) => new TextEncoder().encode(text)), Uint8Array.of(255, 254, 0)];
      await fixture.inject(a, [...payloads, encodeMessage(say('good'))]);
      await fixture.until(() => heard.length > 0);
      expect(heard.map(({ message }) => message)).toEqual([say('good')]);
      expect(a.counters().rejected).toBe(payloads.length);
    });

    it('measures the round trip', async () => {
      const [a, b] = await pair();
      await fixture.until(() => a.members().some(({ id, rttMs }) => id === b.self && rttMs !== undefined));
      expect(a.members()[0]?.rttMs).toBeGreaterThanOrEqual(0);
    });

    it('counts what it sent and received', async () => {
      const [a, b] = await pair();
      const heard = heardBy(b);
      const before = [a.counters().sent, b.counters().received];
      await a.broadcast(say(1));
      await a.send(b.self, say(2));
      await fixture.until(() => heard.length === 2);
      expect([a.counters().sent, b.counters().received]).toEqual(before.map((count) => count + 2));
    });

    it('a listener that fails, or is taken away, disturbs no other', async () => {
      const [a, b] = await pair();
      b.onMessage(() => {
        throw new Error('a broken listener');
      });
      const unwanted: unknown[] = [];
      b.onMessage((_, message) => unwanted.push(message))();
      const heard = heardBy(b);
      await a.send(b.self, say('x'));
      await fixture.until(() => heard.length === 1);
      expect(unwanted).toEqual([]);
    });

    it('may be stopped twice, or without a start, and then sends nothing', async () => {
      const [a, b] = await pair();
      await b.stop();
      await b.stop();
      await fixture.make(createIdentity(), []).stop();
      await b.broadcast(say('?'));
      await expect(b.send(a.self, say('?'))).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
};

const hello = (name: string): Announcement =>
  announcement.parse({ name, version: '1.0.0', slots: 4, peer: { host: '127.0.0.1', port: 1 }, gateway: 'http://g' });

const say = (payload: unknown): Message => ({ kind: 'strategy', strategy: 'test', payload });

const status = (inFlight: number): NodeStatus => ({ inFlight, slots: 4, functions: {} });
