import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { messageOf } from '../../domain/errors.ts';
import { functionKey } from '../../domain/ids.ts';
import { identify } from '../../std/process-identity.ts';
import { call, eventually, exchange, Gate, saying, tally, times } from '../calls.testing.ts';
import { dataPlaneConformance, type Cannot } from '../data-plane.conformance.ts';
import {
  adopted,
  applyToKilled,
  pidOf,
  replacedByAnotherVersion,
  startsNodes,
  startsWithoutAgent,
} from '../opened-nodes.testing.ts';
import { functionPlan, type TestNode } from '../test-node.testing.ts';
import { AdminSocket } from './admin-socket.ts';
import { haproxyMayBeAbsent } from './is-there.testing.ts';
import { openHaproxy } from './open.testing.ts';

const trailers = 'HAProxy passes trailers on, and offers no rule that sees them';
const frozen =
  'HAProxy passes on what a peer says first, but does not act on it: a check finds the silent peer out within two seconds, for the calls that come after';
const spelling = 'HAProxy writes all names of headers in lower case';
const folded = 'HAProxy joins folded lines, as RFC 9112 (5.2) allows, where others refuse them';
const lineFeeds = 'HAProxy takes a line feed alone for the end of a line, as RFC 9112 (2.2) allows';
const stuck = 'HAProxy 2.6 at times does not read on what comes in chunks and had to wait; 3.0 does';

const cannot: Cannot = {
  'drops interim answers and trailers of a function': trailers,
  'drops trailers of a client': trailers,
  'keeps repeated headers, their order and their spelling': spelling,
  'passes on path, query and headers, and the answer names call and node': spelling,
  'keeps bytes beyond ASCII in path and query, encoded':
    'HAProxy answers 400: what would make it take them takes control characters, too',
  'who does not finish the handshake is cut off':
    'before `timeout client-hs` HAProxy gives handshakes as long as it keeps idle connections: 80 seconds',
  'is at the host of the target where that is a whole address, whatever Host says':
    'HAProxy answers 400 where the two differ',
  'who sends a short body without end is answered when the function’s time is over':
    'HAProxy waits for a short body 20 seconds, whatever the function, and then answers 408',
  'that falls silent is passed over when nothing of a body was sent': frozen,
  'that falls silent with a body makes a 504: nobody knows whether it ran': frozen,
  'is cut off where it has no length, and the function hears of it':
    'HAProxy holds bodies to their bound by the length that they say',
  'that the function does not grant is answered as any call, and what follows is no request':
    'HAProxy reads on after a wish for another protocol that was not granted: what follows is a request of its own to it',
  'counts nothing that a function says before its answer':
    'HAProxy has not counted what came along with the answer when its rules see that',
  'waits for slow functions: what they do not read of a body in chunks is not taken': stuck,
  'smuggling: a folded header': folded,
  'smuggling: a folded coding': folded,
  'smuggling: a bare line feed in a header': lineFeeds,
  'smuggling: bare line feeds': lineFeeds,
  'smuggling: a chunk that ends in a bare line feed': lineFeeds,
  'at 5000000 bytes gets 413, counted, and its connection ends':
    'HAProxy ends the connection at once: a client that goes on sending may find it closed before it reads the answer',
};

const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';

const command = async (node: TestNode, text: string): Promise<string> => {
  const admin = await AdminSocket.open(join(node.facts.folder, 'h/admin.sock'), 5_000);
  return admin.ask(text).finally(() => admin.close());
};

const refuses = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });

describe.skipIf(haproxyMayBeAbsent())('with HAProxy', () => {
  dataPlaneConformance('haproxy', openHaproxy, cannot);

  describe('its processes', () => {
    const start = startsNodes(openHaproxy);

    it('go on with their plan when the agent is gone, and the next agent adopts them with their counters', async () => {
      const node = await start('alone');
      const { url } = node;
      const pid = pidOf(node);
      const next = await adopted(node, openHaproxy);
      expect([next.adopted, next.reloads, pidOf(node)]).toEqual([true, 0, pid]);
      const carried = await next.carried();
      await next.apply({ ...(carried as NonNullable<typeof carried>), version: 9, slots: 9 });
      expect((await call(`${url}/function/kept`)).body).toBe('yes');
      expect(next.reloads).toBe(0);
      await next.stop(0);
    });

    it('send to peers what needs a start while there is no agent, and keep for the next one what no peer runs', async () => {
      await startsWithoutAgent(start, openHaproxy);
    });

    it.each(['plane.pid', 'waiting.pid'])('are started again with the last plan when %s is killed', async (file) => {
      const node = await start('killed');
      await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))], { canStart: true }) });
      const pid = pidOf(node, file);
      process.kill(pid, 'SIGKILL');
      await eventually(async () => {
        try {
          return pidOf(node, file) !== pid && (await call(`${node.url}/function/kept`)).body === 'yes';
        } catch {
          return false;
        }
      }, 'it serves again');
    });

    it('are replaced by those of an agent of another version, with their plan', async () => {
      await replacedByAnotherVersion(await start('upgraded'), openHaproxy);
    });

    it('are not said to have a plan in force while they are being started again, and have it then', async () => {
      await applyToKilled(await start('killed'));
    });

    it('go on where only the connection to HAProxy ends, and hear of plans over another', async () => {
      const node = await start('reconnected');
      const gate = new Gate();
      const gated = functionPlan([await node.replica('gated', gate.listener)]);
      await node.apply(8, { gated });
      const running = call(`${node.url}/function/gated`);
      await gate.arrived(1);
      const pid = pidOf(node);
      const connections = [...(await command(node, 'show sess')).matchAll(/^(0x\w+): .* fe=GLOBAL /gm)];
      for (const [, id] of connections) await command(node, `shutdown session ${id}`).catch(() => undefined);
      await eventually(
        () =>
          node.plane.observe().then(
            () => true,
            () => false,
          ),
        'it is asked again',
      );
      await node.apply(8, { gated, kept: functionPlan([await node.replica('kept', saying('yes'))]) });
      expect((await call(`${node.url}/function/kept`)).body).toBe('yes');
      gate.open();
      expect((await running).body).toBe('through');
      expect([pidOf(node), node.plane.reloads]).toEqual([pid, 0]);
    });

    it('are told of a hundred plans under load without a reload, a reset or an error', async () => {
      const node = await start('changing');
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      const replicas = await Promise.all(times(3, (index) => node.replica(`r${index}`, saying('yes'))));
      await node.apply(64, { steady: functionPlan(replicas) });
      let going = true;
      const answers: string[] = [];
      const load = times(8, async () => {
        while (going) {
          const answer = await call(`${node.url}/function/steady`, { agent }).catch((error: Error) => error);
          answers.push(answer instanceof Error ? answer.message : `${answer.status} ${answer.body}`);
        }
      });
      for (let turn = 0; turn < 100; turn += 1) {
        const others = times(turn % 7, (index) => [`other-${turn}-${index}`, functionPlan(replicas)] as const);
        const weighted = replicas.slice(turn % 3).map((replica) => ({ ...replica, weight: 1 + (turn % 5) }));
        await node.apply(64 + turn, { steady: functionPlan(weighted), ...Object.fromEntries(others) });
      }
      going = false;
      await Promise.all(load);
      agent.destroy();
      expect(Object.keys(tally(answers))).toEqual(['200 yes']);
      expect(node.plane.reloads).toBe(0);
    });

    it('reload once when there are more functions than backends, and lose no call that runs', async () => {
      const node = await start('growing');
      const gate = new Gate();
      const gated = functionPlan([await node.replica('gated', gate.listener)]);
      const replica = await node.replica('one', saying('yes'));
      await node.apply(8, { gated, first: functionPlan([replica]) });
      await call(`${node.url}/function/first`);
      const running = call(`${node.url}/function/gated`);
      await gate.arrived(1);
      const many = Object.fromEntries(times(300, (index) => [`many-${index}`, functionPlan([replica])]));
      await node.apply(8, { gated, first: functionPlan([replica]), ...many });
      expect(node.plane.reloads).toBe(1);
      expect((await call(`${node.url}/function/many-299`)).body).toBe('yes');
      gate.open();
      expect((await running).body).toBe('through');
      expect(await node.observed('first')).toMatchObject({ served: 1 });
      const { first: _first, ...fewer } = { first: undefined, ...many };
      await node.apply(8, fewer);
      expect(node.plane.reloads).toBe(1);
      expect((await call(`${node.url}/function/first`)).status).toBe(404);
    });

    it('hear what a peer says of as many functions as it tells at once, whatever their names', async () => {
      const [node, peer] = await Promise.all([start('hearing'), start('telling')]);
      const replica = await node.replica('one', saying('yes'));
      const names = times(200, (index) => `${'long-'.repeat(40)}${index}`);
      const may = { peers: [{ id: peer.id, weight: 1 }] };
      const plans = names.map((name) => [name, functionPlan([replica], may)] as const);
      await node.apply(8, Object.fromEntries(plans), [peer.asPeer(4)]);
      const pid = pidOf(node);
      const there = { inFlight: 1, limit: 4, replicas: 1 };
      const functions = Object.fromEntries(names.map((name) => [functionKey(name), there]));
      node.plane.hint([{ id: peer.id, inFlight: 3, slots: 7, functions }]);
      expect((await node.plane.observe()).peers[peer.id]).toMatchObject({ inFlight: 3, slots: 7 });
      expect(pidOf(node)).toBe(pid);
    });

    it('keep nothing of a peer that left', async () => {
      const [node, peer] = await Promise.all([start('staying'), start('leaving')]);
      const kept = async (): Promise<readonly string[]> => {
        const told = [await command(node, 'show ssl ca-file'), await command(node, 'show servers state peers')];
        return told.flatMap((text) => text.match(/\bp\d+\b/g) ?? []);
      };
      for (const turn of [1, 2]) {
        await node.apply(8, {}, [peer.asPeer(4)]);
        expect(await kept()).toContain(`p${turn}`);
        await node.apply(8, {});
      }
      await eventually(async () => (await kept()).length === 0, 'all of it is forgotten');
    });

    it('refuse calls that must wait for the reason for which they would, where nobody holds them', async () => {
      const node = await start('roomless');
      const gate = new Gate();
      const replica = await node.replica('gated', gate.listener);
      await node.apply(2, {
        wide: functionPlan([replica]),
        narrow: functionPlan([replica], { maxInFlight: 1 }),
        cold: functionPlan([], { canStart: true }),
      });
      const ask = (name: string) => call(`${node.url}/function/${name}`);
      const running = [ask('narrow')];
      await gate.arrived(1);
      // Nobody starts the waiting room again.
      await node.plane.release();
      process.kill(pidOf(node, 'waiting.pid'), 'SIGKILL');
      await eventually(() => refuses(join(node.facts.folder, 'h/wait.sock')), 'the waiting room is gone');
      const refused = [await ask('narrow')];
      running.push(ask('wide'));
      await gate.arrived(2);
      refused.push(await ask('wide'));
      gate.open();
      await Promise.all(running);
      const said = [...refused, await ask('cold')].map(({ status, reason }) => `${status} ${reason}`);
      expect(said).toEqual(['429 full', '503 full', '503 no-replica']);
      for (const { body } of refused) expect(body).toMatch(/^There is no room for /);
    });

    it('pass on in one form what HAProxy reads in several', async () => {
      const node = await start('lenient');
      const seen: string[] = [];
      const strict = await node.rawReplica('strict', (socket) => {
        const place = seen.push('') - 1;
        socket.setEncoding('latin1');
        socket.on('data', (text: string) => {
          seen[place] += text;
          if (/\r\n\r\n/.test(text))
            socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok');
        });
      });
      await node.apply(8, { strict: functionPlan([strict]) });
      const post = 'POST /function/strict HTTP/1.1\r\nhost: x\r\n';
      for (const bytes of [
        `${post}x: y\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n`,
        `${post}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
        `${post}x: y\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        'POST /function/strict HTTP/1.1\nhost: x\ncontent-length: 0\n\n',
        `${post}transfer-encoding: chunked\r\n\r\n1\nx\n0\n\n`,
      ]) {
        expect(await exchange(node.port, bytes, /\r\n\r\nok/, 2_000), bytes).toMatch(/^HTTP\/1\.1 (?:200|4\d\d) /);
      }
      expect(seen.length).toBeGreaterThan(0);
      for (const text of seen) expect(text).not.toMatch(/(?<!\r)\n|\r(?!\n)|\r\n[ \t]/);
    });

    it.each(['gateway', 'peer'] as const)(
      'of two nodes do not share a %s port: one is told that it is in use',
      async (which) => {
        const [one, other] = await Promise.all([start('one'), start('other')]);
        const { port } = one.plane.address()[which];
        await Promise.all([one, other].map(({ plane }) => plane.stop(0)));
        // Both find it free when they look.
        const planes = await Promise.all(
          [one, other].map(({ facts }) => openHaproxy(facts, undefined, { gateway: 0, peer: 0, [which]: port })),
        );
        onTestFinished(async () => void (await Promise.all(planes.map((plane) => plane.stop(0)))));
        const started = await Promise.allSettled(planes.map((plane) => plane.start()));
        const failed = started.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []));
        // One that does not start leaves nothing behind.
        const left = [one, other].filter(({ facts }) => existsSync(join(facts.folder, 'waiting.pid')));
        expect(left).toHaveLength(1);
        expect(failed).toEqual([
          expect.stringMatching(`^port ${port} \\(${which}\\) is in use: stop what listens there`),
        ]);
      },
    );

    it('end answers that go on when the time of their call is over, but nothing that became another protocol', async () => {
      const node = await start('endless');
      const both = await node.rawReplica('both', (socket) => {
        socket.setEncoding('latin1');
        socket.on('data', (text: string) => {
          if (!text.startsWith('GET')) return socket.write(text.toUpperCase());
          if (text.includes('upgrade: x')) return socket.write(switching);
          socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
          const going = setInterval(() => socket.write('1\r\nx\r\n'), 20);
          return socket.once('close', () => clearInterval(going));
        });
      });
      await node.apply(8, { both: functionPlan([both], { timeoutMs: 2_000 }) });
      const switched = connect(node.port, '127.0.0.1');
      switched.on('error', () => undefined);
      onTestFinished(() => void switched.destroy());
      let got = '';
      switched.setEncoding('latin1').on('data', (text: string) => (got += text));
      switched.write('GET /function/both HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
      await eventually(() => got.startsWith('HTTP/1.1 101 '), 'it is granted');
      for (const _turn of [1, 2]) await expect(call(`${node.url}/function/both`)).rejects.toThrow('aborted');
      switched.write('still there');
      await eventually(() => got.endsWith('STILL THERE'), 'it lasts');
    });

    it('leave a node that has nothing of them behind', async () => {
      const node = await start('stopped');
      const pids = ['plane.pid', 'waiting.pid'].map((file) => pidOf(node, file));
      await node.plane.stop(0);
      expect(pids.map(identify)).toEqual([undefined, undefined]);
    });
  });
});
