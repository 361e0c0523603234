import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { X509Certificate, generateKeyPairSync } from 'node:crypto';
import type { FunctionKey } from '../../domain/ids.ts';
import { functionKey, nodeId } from '../../domain/ids.ts';
import { SkeinError } from '../../domain/errors.ts';
import type { FunctionPlan, Plan } from '../../routing/plan.ts';
import { functionPlan } from '../test-node.testing.ts';
import { anchorOf } from './anchor.ts';
import { compile } from './configuration.ts';
import { diff } from './diff.ts';
import { entries, mapNames } from './entries.ts';
import { plainFeatures } from './features.ts';
import { addObservations, readObservation } from './observation.ts';
import { checkSettings, paths, type Settings } from './settings.ts';
import { assign, firstPool } from './shape.ts';
import { sayable } from './words.ts';

const settings: Settings = {
  folder: '/run/skein/h',
  gateway: { host: '0.0.0.0', port: 8080 },
  peer: { host: '::1', port: 9080 },
  systemSocket: '/run/skein/system.sock',
  peerSystemSocket: '/run/skein/peers.sock',
  nodeName: 'north',
  peerAckMs: 1000,
  maxHeaderBytes: 16_384,
  maxBodyBytes: 1_000_000,
  upgradeIdleMs: 60_000,
  trustedProxies: ['10.0.0.0/8'],
  threads: 1,
  records: false,
  traceRatio: undefined,
  lua: '/opt/skein/lua',
  features: plainFeatures,
};
const where = paths(settings);

const replica = (id: string, path = `/run/skein/${id}.sock`, weight = 1) =>
  ({ id, address: { kind: 'unix', path }, version: '1', weight, maxInFlight: 0 }) as const;
const peer = (name: string, digit: string) => ({
  id: nodeId(`12D3Koo${name}`),
  name,
  address: { kind: 'tcp', host: '10.0.0.7', port: 9080 } as const,
  publicKey: digit.repeat(64),
  slots: 8,
  rttMs: 1.5,
});
const plan = (functions: Readonly<Record<string, FunctionPlan>>, changes: Partial<Plan> = {}): Plan => ({
  version: 7,
  node: { id: nodeId('12D3KooNorth'), name: 'north' },
  slots: 16,
  draining: false,
  peers: [peer('East', 'a')],
  functions: Object.fromEntries(Object.entries(functions).map(([key, value]) => [functionKey(key), value])),
  ...changes,
});
const rich = functionPlan([replica('one'), { ...replica('two', undefined, 3), maxInFlight: 4 }], {
  policy: 'local-first',
  local: { weight: 2, limit: { kind: 'rate', perSecond: 2.5 } },
  peers: [{ id: nodeId('12D3KooEast'), weight: 0.5, limit: { kind: 'in-flight', count: 3 } }],
  admission: {
    peers: { [nodeId('12D3KooEast')]: { kind: 'rate', perSecond: 1 } },
    others: { kind: 'in-flight', count: 0 },
  },
  rejectShare: 0.25,
  maxInFlight: 6,
  maxRate: 10,
});

describe('compile', () => {
  it('writes what HAProxy is started with', () => {
    const shape = { ...assign(undefined, plan({ hello: rich, cold: functionPlan([], { canStart: true }) })), pool: 3 };
    const { configuration, files } = compile(shape, settings);
    const beside = Object.entries(files).map(([path, text]) => `## ${path}\n${text}`);
    const text = [configuration, ...beside].join('-----\n');
    const golden = join(import.meta.dirname, '../../../test/golden/haproxy.txt');
    if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(golden, text);
    expect(text, 'read the difference; if it is meant, run with UPDATE_GOLDEN=1').toBe(readFileSync(golden, 'utf8'));
  });

  it('has no line of more words than HAProxy takes, however many proxies are trusted', () => {
    const trustedProxies = Array.from({ length: 200 }, (_, index) => `10.0.${index}.0/24`);
    const shape = { ...assign(undefined, plan({ hello: rich })), pool: 3 };
    const { configuration } = compile(shape, { ...settings, trustedProxies, records: true, traceRatio: 1 });
    const words = (line: string): number => (line.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).length;
    expect(Math.max(...configuration.split('\n').map(words))).toBeLessThanOrEqual(64);
  });

  it('bounds handshakes alone where HAProxy can', () => {
    const linesOf = (timesHandshakes: boolean): string => {
      const features = { ...plainFeatures, timesHandshakes };
      return compile(assign(undefined, plan({})), { ...settings, features }).configuration;
    };
    expect(linesOf(true)).toContain('  timeout client-hs 5s\n  timeout client 300000ms\n');
    expect(linesOf(false)).not.toContain('client-hs');
  });

  it('has what tells of calls where somebody asks for it only, and is else the same', () => {
    const shape = { ...assign(undefined, plan({ hello: rich })), pool: 3 };
    const linesOf = (changes: Partial<Settings>): string[] =>
      compile(shape, { ...settings, ...changes }).configuration.split('\n');
    const plain = linesOf({});
    const recorded = linesOf({ records: true });
    const traced = linesOf({ records: true, traceRatio: 0.25 });
    const added = (before: readonly string[], after: readonly string[]): readonly string[] => {
      let at = 0;
      const more = after.filter((line) => line !== before[at] || (at += 1) === 0);
      expect(at).toBe(before.length);
      return more;
    };
    expect(plain.join('\n')).not.toMatch(/^ring|log-format|x-skein-ran/im);
    expect(added(plain, recorded).filter((line) => line.startsWith('ring'))).toEqual(['ring calls']);
    expect(new Set(added(recorded, traced))).toEqual(
      new Set(['  http-request lua.trace 0.25 if { path_beg /function/ }']),
    );
  });

  it('says to a newer HAProxy what an older one does not understand', () => {
    const told = (features: Settings['features']): string =>
      compile(assign(undefined, plan({})), { ...settings, features }).configuration;
    expect(told({ ...plainFeatures, version: '2.6.12' })).not.toContain('hot-size');
    expect(told({ ...plainFeatures, version: '3.0.11', hotMemory: true })).toMatch(/^  tune\.memory\.hot-size \d+$/m);
  });

  it('refuses settings that cannot stand in a configuration', () => {
    for (const changes of [
      { nodeName: 'north"\nlisten x' },
      { folder: '/run/a b' },
      { trustedProxies: ['10.0.0.0/8 }'] },
      { gateway: { host: '0.0.0.0 ssl', port: 1 } },
    ]) {
      expect(() => checkSettings({ ...settings, ...changes })).toThrow(SkeinError);
    }
    expect(() => checkSettings(settings)).not.toThrow();
  });

  it('says nothing in the words of peers and users but plain ones', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.double(), (name, host, id, number) => {
        const odd = {
          ...peer('odd', 'b'),
          id: nodeId(id),
          address: { kind: 'tcp', host, port: 1 } as const,
          slots: number,
        };
        const functions = {
          [name as FunctionKey]: { ...rich, replicas: [replica('x', `/r/${host}`)], maxRate: number },
        };
        const shape = assign(undefined, sayable({ ...plan({}), peers: [odd], functions }).plan);
        const step = diff(assign(undefined, plan({}, { peers: [] })), shape, where);
        for (const { text } of step.kind === 'runtime' ? step.commands : []) {
          const [line = '', ...rest] = text.split('\n');
          expect(line).toMatch(/^[-+\w ./:@[\]&=,<>]+$/);
          expect(rest.filter((more) => !/^[-A-Za-z0-9+/= ]*$/.test(more))).toEqual([]);
        }
      }),
    );
  });
});

describe('diff', () => {
  const told = (before: Plan, after: Plan): readonly string[] => {
    const first = assign(undefined, before);
    const step = diff(first, assign(first, after), where);
    return step.kind === 'runtime' ? step.commands.map(({ text }) => text.split('\n')[0] ?? '') : [step.kind];
  };

  it('says nothing where nothing changed but the version', () => {
    expect(told(plan({ hello: rich }), plan({ hello: rich }))).toEqual([]);
    expect(told(plan({ hello: rich }), plan({ hello: rich }, { version: 8 }))).toEqual([
      `set map ${where.map('node')} node slots=16&draining=0&version=8`,
    ]);
  });

  it('adds a function: servers before the name', () => {
    const commands = told(plan({}), plan({ hello: functionPlan([replica('one')]) }));
    expect(commands.map((text) => text.split(' ').slice(0, 3).join(' '))).toEqual([
      'add server f0/r2',
      'enable server f0/r2',
      'enable health f0/r2',
      `add map ${where.map('functions')}`,
      `add map ${where.map('backends')}`,
      `add map ${where.map('quick')}`,
      `add map ${where.map('quick')}`,
    ]);
  });

  it('removes one: the name before servers, which are deleted later', () => {
    const first = assign(undefined, plan({ hello: functionPlan([replica('one')]) }));
    const step = diff(first, assign(first, plan({})), where);
    expect(step).toMatchObject({ kind: 'runtime', leaving: ['f0/r2'] });
    expect(step.kind === 'runtime' && step.commands.map(({ text }) => text)).toEqual([
      `del map ${where.map('functions')} hello.openfaas-fn`,
      `del map ${where.map('backends')} f0`,
      `del map ${where.map('quick')} /function/hello`,
      `del map ${where.map('quick')} /function/hello.openfaas-fn`,
      'set server f0/r2 state maint',
      'clear table t_function key hello.openfaas-fn',
      'skein forget',
    ]);
  });

  it('changes weights and limits in the map alone', () => {
    const other = { ...rich, peers: [{ id: nodeId('12D3KooEast'), weight: 9 }] };
    expect(told(plan({ hello: rich }), plan({ hello: other }))).toHaveLength(1);
  });

  it('writes any number in digits, six at most behind the point', () => {
    const written = (weight: number): string | undefined => {
      const shape = assign(undefined, plan({ hello: { ...rich, local: { weight } } }));
      return /&w=([^&]*)&/.exec(entries(shape).functions.get(functionKey('hello')) ?? '')?.[1];
    };
    const values = [1 / 3, 0.1 + 0.2, 1e-7, 1e21, 12_345_678.9, -1, Number.NaN, Number.POSITIVE_INFINITY];
    expect(values.map(written)).toEqual(['0.333333', '0.3', '0', '1000000000000', '12345678.9', '0', '0', '0']);
  });

  it('gives a peer that moved a server of its own, with the anchor of its key', () => {
    const moved = { ...peer('East', 'a'), address: { kind: 'tcp', host: '10.0.0.8', port: 9080 } as const };
    const commands = told(plan({}), plan({}, { peers: [moved] }));
    expect(commands.filter((text) => text.includes('ssl ca-file'))).toHaveLength(3);
    expect(commands.at(-1)).toMatch(/^set server peers\/p1 state maint|^skein forget/);
  });

  it('tells the same maps on any way to the same plan', () => {
    const some = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 5 });
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 6 }), (turns) => {
        const plans = turns.map((names) =>
          plan(Object.fromEntries(names.map((name) => [name, functionPlan([replica(name)])]))),
        );
        let shape = assign(undefined, plan({}));
        const maps: Record<string, Map<string, string>> = {};
        for (const name of mapNames) maps[where.map(name)] = new Map(entries(shape)[name]);
        const servers = new Set<string>();
        for (const next of plans) {
          const after = assign(shape, next);
          const step = diff(shape, after, where);
          if (step.kind !== 'runtime') throw new Error('no reload is needed');
          for (const { text } of step.commands) {
            const [verb, what, file = '', key = '', value = ''] = text.split(' ');
            const server = file.split(' ')[0] ?? '';
            if (what === 'map' && verb === 'del') expect(maps[file]?.delete(key)).toBe(true);
            if (what === 'map' && verb === 'add') expect(maps[file]?.has(key)).toBe(false);
            if (what === 'map' && verb !== 'del') maps[file]?.set(key, value);
            if (what === 'server' && verb === 'add') expect(servers.has(server)).toBe(false);
            if (what === 'server' && verb === 'add') servers.add(server);
          }
          shape = after;
          for (const name of mapNames) expect(maps[where.map(name)]).toEqual(new Map(entries(shape)[name]));
        }
      }),
    );
  });

  it('asks for a reload only when there are more functions than backends', () => {
    const many = (count: number): Plan =>
      plan(Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, functionPlan([])])));
    expect(told(plan({}), many(firstPool))[0]).toMatch(/^add map/);
    expect(told(plan({}), many(firstPool + 1))).toEqual(['structural']);
    expect(assign(undefined, many(firstPool + 1)).pool).toBe(2 * firstPool);
  });
});

describe('a trust anchor', () => {
  it('is a certificate over the key of its peer', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex');
    const read = new X509Certificate(anchorOf(raw));
    expect(read.publicKey.equals(publicKey)).toBe(true);
    expect([read.subject, read.ca]).toEqual(['CN=skein key', true]);
  });
});

describe('an observation', () => {
  const shape = assign(undefined, plan({ hello: rich }));
  const east = nodeId('12D3KooEast');
  const text = [
    'node 3',
    'function hello.openfaas-fn running=2&entered=9&served=5&service=12.500&ran=4&ranms=50&full=2&limit=1&received=p1:4&forwarded=p1:2&rejected=full:1,timeout:2',
    'peer p1 running=7&slots=8&outstanding=1',
    'end',
  ].join('\n');
  const read = (since: number) =>
    readObservation({ text, queued: { [functionKey('hello')]: 6 }, shape, at: 50, since });

  it('is read from what HAProxy and the waiting room say', () => {
    expect(read(10)).toEqual({
      at: 50,
      since: 10,
      planVersion: 7,
      inFlight: 3,
      queued: 6,
      functions: {
        'hello.openfaas-fn': {
          inFlight: 2,
          queued: 6,
          entered: 9,
          served: 5,
          serviceMs: 12.5,
          ran: 4,
          ranMs: 50,
          foundFull: 2,
          foundLimit: 1,
          received: { [east]: 4 },
          forwarded: { [east]: 2 },
          rejected: { full: 1, timeout: 2 },
        },
      },
      peers: { [east]: { rttMs: 1.5, inFlight: 7, slots: 8, outstanding: 1 } },
    });
  });

  it('goes on counting where another HAProxy stopped', () => {
    const sum = addObservations(read(10), read(40));
    expect(sum.since).toBe(10);
    expect(sum.functions[functionKey('hello')]).toMatchObject({
      inFlight: 2,
      entered: 18,
      received: { [east]: 8 },
      rejected: { full: 2, timeout: 4 },
    });
  });
});
