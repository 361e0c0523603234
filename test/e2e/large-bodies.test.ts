import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

const mebibyte = 1024 ** 2;
const bodyBytes = 1024 * mebibyte;
/** What one process may grow by: far below the body, above what a young heap does by itself. */
const mostGrowth = 160 * mebibyte;

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('echo');
  federation = await Federation.start({ slots: [4, 4], flags: ['--timeouts-function-ms', '220000'] });
  await federation.deployAs(bundles, { service: 'big', image: 'echo', constraints: ['skein.node==node-2'] });
  await until('both answer', async () => {
    const calls = await Promise.all(federation.nodes.map((node) => node.call('big')));
    return calls.every(({ status }) => status === 200);
  });
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

const residentBytes = (pid: number): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Chunks whose bytes follow from their place, so that nothing need be kept to know them again. */
const chunkBytes = 256 * 1024;
const pattern = Buffer.alloc(chunkBytes + 256, Buffer.from(Array.from({ length: 251 }, (_, index) => index)));
const chunkAt = (index: number): Buffer => pattern.subarray(index % 251, (index % 251) + chunkBytes);

const generated = function* (bytes: number): Generator<Buffer> {
  for (let index = 0; index < bytes / chunkBytes; index += 1) yield chunkAt(index);
};

/** Sends `bytes` to the echo at `node` and compares what comes back as it comes. Answers how many were right. */
const throughEcho = async (node: TestNode, bytes: number, onPart: () => void): Promise<number> => {
  const sent = httpRequest(`${node.url}/function/big`, {
    method: 'POST',
    agent: false,
    headers: { 'content-length': String(bytes) },
  });
  Readable.from(generated(bytes)).pipe(sent);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let right = 0;
  for await (const part of answer) {
    let rest = part as Buffer;
    while (rest.length > 0) {
      const offset = right % chunkBytes;
      const wanted = chunkAt(Math.floor(right / chunkBytes)).subarray(offset, offset + rest.length);
      if (!rest.subarray(0, wanted.length).equals(wanted)) throw new Error(`another byte than sent after ${right}`);
      right += wanted.length;
      rest = rest.subarray(wanted.length);
    }
    onPart();
  }
  return right;
};

test.each([
  [2, 'where it is served'],
  [1, 'through a peer'],
])('a gibibyte goes in and out with flat memory at node-%i, %s', async (index) => {
  const node = federation.node(index);
  const watched = new Map<string, { readonly pid: number; readonly before: number; most: number }>();
  const watch = (name: string, pid: number): void => {
    const before = residentBytes(pid);
    watched.set(name, { pid, before, most: before });
  };
  // Once before it is measured: code is compiled and buffers are made.
  expect(await throughEcho(node, 64 * mebibyte, () => undefined)).toBe(64 * mebibyte);
  for (const each of federation.nodes) watch(`${each.name}'s data plane`, each.planePid());
  for (const pid of federation.node(2).replicaPids('big')) watch(`replica ${pid}`, pid);

  let parts = 0;
  const right = await throughEcho(node, bodyBytes, () => {
    parts += 1;
    if (parts % 500 !== 0) return;
    for (const each of watched.values()) each.most = Math.max(each.most, residentBytes(each.pid));
  });
  expect(right).toBe(bodyBytes);
  expect(parts).toBeGreaterThan(500);
  for (const [name, { before, most }] of watched) {
    expect(most - before, `growth of ${name}`).toBeLessThan(mostGrowth);
  }
});
