import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SkeinError } from '../domain/errors.ts';
import { loadConfig, type ConfigSources } from './load-config.ts';

let cwd = '';

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'skein-config-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const sources = (more: Partial<ConfigSources> = {}): ConfigSources => ({
  machine: { cores: 2, hostname: 'Lab_7.example.org' },
  cwd,
  env: {},
  flags: {},
  ...more,
});

const write = (text: string, name = 'skein.yaml'): void => writeFileSync(join(cwd, name), text);

const problems = (more: Partial<ConfigSources> = {}): string[] => {
  try {
    loadConfig(sources(more));
  } catch (error) {
    expect(error).toBeInstanceOf(SkeinError);
    expect((error as SkeinError).code).toBe('invalid');
    return (error as SkeinError).message.split('\n');
  }
  return [];
};

describe('layers', () => {
  test('a lone node needs no configuration', () => {
    const { config, file } = loadConfig(sources());
    expect(file).toBeUndefined();
    expect(config).toMatchObject({
      data: join(cwd, '.skein'),
      node: { name: 'lab-7', labels: {}, roles: [] },
      gateway: { listen: { host: '127.0.0.1', port: 8080 } },
      metrics: { listen: { host: '127.0.0.1', port: 8082 } },
      peer: { listen: { host: '127.0.0.1', port: 10_080 } },
      federation: { listen: { host: '127.0.0.1', port: 11_080 }, bootstrap: [] },
      capacity: { slots: 8 },
      strategy: { name: 'least-loaded', periodMs: 60_000 },
      queue: { ms: 1000 },
      timeouts: { functionMs: 60_000, peerAckMs: 1000 },
    });
  });

  test('the file is over the defaults, the environment over the file, flags over all', () => {
    write('queue: { ms: 1 }\ncapacity: { slots: 1 }\nstrategy: { periodMs: 1 }');
    const { config, settings, file } = loadConfig(
      sources({
        env: { SKEIN_CAPACITY_SLOTS: '2', SKEIN_STRATEGY_PERIOD_MS: '2', SKEIN_LOG_LEVEL: '' },
        flags: { 'strategy.periodMs': '3' },
      }),
    );
    expect(file).toBe(join(cwd, 'skein.yaml'));
    expect([config.queue.ms, config.capacity.slots, config.strategy.periodMs]).toEqual([1, 2, 3]);
    const origins = Object.fromEntries(settings.map(({ key, origin }) => [key, origin]));
    expect(origins).toMatchObject({
      'queue.ms': 'file',
      'capacity.slots': 'env',
      'strategy.periodMs': 'flag',
      'log.level': 'default',
      'federation.listen': 'default',
    });
  });

  test('slots are a number or measured, between bounds that go by the machine', () => {
    const flags = { 'capacity.slots': 'auto' };
    expect(loadConfig(sources({ flags })).config.capacity).toEqual({ slots: 'auto', min: 1, max: 128 });
    write('capacity: { slots: auto, min: 2, max: 20 }');
    expect(loadConfig(sources()).config.capacity).toEqual({ slots: 'auto', min: 2, max: 20 });
    expect(problems({ flags: { 'capacity.min': '21' } })).toEqual([
      '--capacity-min must not be more than capacity.max',
    ]);
    expect(problems({ flags: { 'capacity.slots': 'some' } })).toEqual([
      '--capacity-slots must be a whole number, or auto',
    ]);
  });

  test('lists and maps can be written as text', () => {
    const { config } = loadConfig(
      sources({
        env: { SKEIN_NODE_LABELS: 'zone=north, power=a=b', SKEIN_FEDERATION_BOOTSTRAP: '10.0.0.1:1,10.0.0.2:2' },
        flags: { 'node.roles': 'edge,gpu' },
      }),
    );
    expect(config.node).toMatchObject({ labels: { zone: 'north', power: 'a=b' }, roles: ['edge', 'gpu'] });
    expect(config.federation.bootstrap).toEqual(['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/2']);
  });

  test('the federation listener follows the peer listener', () => {
    const listen = (text: string): unknown =>
      loadConfig(sources({ flags: { 'peer.listen': text } })).config.federation.listen;
    expect(listen('[::1]:7000')).toEqual({ host: '::1', port: 8000 });
    expect(listen('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 });
    expect(problems({ flags: { 'peer.listen': ':65000' } })).toEqual([
      'federation.listen must be set: its default, the port of peer.listen + 1000, is past 65535',
    ]);
  });

  test('a path counts from the file that names it, elsewhere from the working folder', () => {
    write('data: state\nfederation: { keyFile: /etc/key }', 'other.yaml');
    const elsewhere = loadConfig(sources({ cwd: '/', file: join(cwd, 'other.yaml') })).config;
    expect(elsewhere.data).toBe(join(cwd, 'state'));
    expect(elsewhere.federation.keyFile).toBe('/etc/key');
    expect(loadConfig(sources({ env: { SKEIN_DATA: 'there' } })).config.data).toBe(join(cwd, 'there'));
  });

  test('an empty file and empty groups are fine', () => {
    write('# nothing yet\ngateway:\nlog:\n  level:\n');
    expect(loadConfig(sources()).config.log.level).toBe('info');
  });

  test("a strategy goes by DFaaS's own name too", () => {
    expect(loadConfig(sources({ flags: { 'strategy.name': 'recalcstrategy' } })).config.strategy.name).toBe('recalc');
  });
});

describe('problems', () => {
  test('are all named at once, each with its place', () => {
    write(
      'gatway:\n  listen: 1\ngateway:\n  listn: 127.0.0.1:1\n  listen: nowhere\nqueue:\n  ms: soon\ncapacity: { slots: 0 }\n',
    );
    const env = { SKEIN_LOG_LEVEL: 'loud', SKEIN_GATEWAY_LISTN: 'x' };
    expect(problems({ env, flags: { 'strategy.name': 'fastest', 'limits.bodyBytes': '-1' } })).toEqual([
      'skein.yaml:1: gatway is no setting: did you mean gateway?',
      'skein.yaml:4: gateway.listn is no setting: did you mean gateway.listen?',
      'SKEIN_GATEWAY_LISTN is no setting: did you mean SKEIN_GATEWAY_LISTEN?',
      'skein.yaml:5: gateway.listen must be host:port, [ipv6]:port or :port',
      '--strategy-name must be one of least-loaded, recalc, static, all-local',
      'skein.yaml:8: capacity.slots must be at least 1',
      'skein.yaml:7: queue.ms must be a number',
      '--limits-body-bytes must be at least 0',
      'SKEIN_LOG_LEVEL must be one of debug, info, warn, error, silent',
    ]);
  });

  test.each([
    ['a: [', /^skein\.yaml:1: /],
    ['queue: { ms: 1 }\nqueue: { ms: 2 }', /^skein\.yaml:2: .*unique/],
    ['just text', /^skein\.yaml: must hold settings, such as gateway\.listen$/],
    ['gateway: 127.0.0.1:1', /^skein\.yaml:1: gateway holds settings of its own, such as gateway\.listen$/],
    ['node: { name: Not_A_Label }', /^skein\.yaml:1: node\.name must be a DNS label/],
    ['node: { roles: [a, 5] }', /^skein\.yaml:1: node\.roles \(item 2\) must be text$/],
    ['node: { labels: { zone: 5 } }', /^skein\.yaml:1: node\.labels \(zone\) must be text$/],
    ['queue: { ms: 1.5 }', /^skein\.yaml:1: queue\.ms must be a whole number$/],
    ['kubernetes: {}', /^skein\.yaml:1: kubernetes is no setting; `skein config reference` lists what there is$/],
    ['queue: { miliseconds: 5 }', /^skein\.yaml:1: queue\.miliseconds is no setting/],
  ])('%j is named in one sentence', (text, sentence) => {
    write(text);
    expect(problems()).toEqual([expect.stringMatching(sentence)]);
  });

  test('a file that was asked for must be there', () => {
    expect(problems({ file: 'absent.yaml' })).toEqual([
      expect.stringMatching(/^cannot read the configuration .*absent\.yaml/),
    ]);
    expect(problems({ env: { SKEIN_CONFIG: 'absent.yaml' } })).toHaveLength(1);
  });

  test("variables that are someone else's are left alone", () => {
    const env = { SKEIN_PORT: 'tcp://10.0.0.1:80', SKEIN_SERVICE_HOST: '10.0.0.1', SKEIN_GATEWAY: 'http://x' };
    expect(problems({ env })).toEqual([]);
  });
});
