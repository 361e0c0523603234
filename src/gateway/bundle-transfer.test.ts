import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import type { ClientRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { goodArchive } from '../bundles/archives.fixture.ts';
import type { BundleStore } from '../bundles/bundle-store.ts';
import { FileBundleStore } from '../bundles/file-store.ts';
import { asAdmin, call, credentials, digestOf, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';

let folder: string;
let node: TestNode;
let logged: unknown[];
let store: FileBundleStore;
/** The outcome of each put, in order. */
let puts: Promise<unknown>[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-put-'));
  store = await FileBundleStore.open(folder, { packedBytes: 100_000, unpackedBytes: 1_000_000, files: 10 });
  logged = [];
  puts = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: unknown) => void logged.push(fields) };
  node = await startTestNode('node-1', { bundles: watched(store), log });
});

afterEach(async () => {
  await node.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The store itself, telling when a put ended. */
const watched = (inner: FileBundleStore): BundleStore => ({
  has: (digest) => inner.has(digest),
  list: () => inner.list(),
  put: (archive, expected) => {
    const put = inner.put(archive, expected);
    puts.push(put.catch((error: unknown) => error));
    return put;
  },
  read: (digest) => inner.read(digest),
  open: (digest) => inner.open(digest),
  remove: (digest) => inner.remove(digest),
});

const upload = (digest: string, onAnswer: (status: number) => void): ClientRequest =>
  request(
    { socketPath: node.systemSocket, method: 'PUT', path: `/system/bundles/${digest}`, headers: credentials },
    (incoming) => {
      incoming.resume();
      onAnswer(incoming.statusCode ?? 0);
    },
  );

describe('a bundle on its way', () => {
  it('is refused as too large while it is still being sent', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const outgoing = upload(`sha256:${'0'.repeat(64)}`, resolve);
      outgoing.on('error', reject);
      Readable.from([Buffer.alloc(60_000), Buffer.alloc(60_000), Buffer.alloc(60_000)]).pipe(outgoing);
    });
    expect(status).toBe(413);
    expect(await store.list()).toEqual([]);
    expect(await asAdmin(node, 'GET', '/system/info')).toMatchObject({ status: 200 });
  });

  it('leaves nothing behind when its sender goes away, and nobody is alarmed', async () => {
    const archive = goodArchive();
    const outgoing = upload(digestOf(archive), () => {});
    outgoing.on('error', () => {});
    outgoing.write(archive.subarray(0, 50));
    await expect.poll(() => puts.length).toBe(1);
    outgoing.destroy();
    expect(await puts[0]).toBeInstanceOf(Error);
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
    expect(await asAdmin(node, 'GET', '/system/info')).toMatchObject({ status: 200 });
    expect(logged).toEqual([]);
  });

  it('closes its file when the receiver goes away', async () => {
    let closed = (): void => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
    });
    endless.once('close', closed);
    const read = async () => ({ bytes: 2 ** 40, stream: endless });
    const other = await startTestNode('node-2', { bundles: { ...watched(store), read } });
    const path = `/system/bundles/sha256:${'0'.repeat(64)}`;
    const incoming = request({ socketPath: other.peerSocket, path }, (answer) => {
      answer.once('data', () => answer.destroy());
    });
    incoming.on('error', () => {});
    incoming.end();
    await gone;
    await other.stop();
  });

  it('is not opened for long by HEAD', async () => {
    const archive = goodArchive();
    const path = `/system/bundles/${digestOf(archive)}`;
    await call(node.systemSocket, 'PUT', path, { headers: credentials, body: archive });
    const openFiles = async () => (await readdir('/proc/self/fd').catch(() => [])).length;
    const before = await openFiles();
    for (let index = 0; index < 50; index++) await call(node.peerSocket, 'HEAD', path);
    expect(await openFiles()).toBeLessThan(before + 25);
  });
});
