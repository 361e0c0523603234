import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FederationMember, FederationStatus } from './needs.ts';
import { renderPage } from './page.ts';

const info = { release: '0.1.0', sha: 'abc', provider: 'process', arch: 'x86_64' };

const member = (change: Partial<FederationMember>): FederationMember => ({
  id: 'id',
  name: 'node-1',
  state: 'alive',
  slots: 4,
  inFlight: 0,
  address: 'http://127.0.0.1:8080',
  version: '0.1.0',
  ageMs: 0,
  functions: [],
  ...change,
});

const status = (members: readonly FederationMember[]): FederationStatus => ({
  self: { id: 'id', name: 'node-1' },
  strategy: 'least-loaded',
  plan: { version: 1 },
  catalogue: { records: 0, tombstones: 0, counter: 0 },
  traffic: { entered: 0, served: 0, forwardedOut: 0, forwardedIn: 0, rejected: 0 },
  members: [...members],
});

describe('the status page', () => {
  it('shows where each function lives, leaving out nodes that are gone', async () => {
    const page = await renderPage(
      status([
        member({ functions: ['figlet.openfaas-fn', 'burn.dev'] }),
        member({ name: 'node-2', functions: ['figlet.openfaas-fn'] }),
        member({ name: 'node-3', state: 'gone', functions: ['figlet.openfaas-fn'], ageMs: 12_000 }),
      ]),
      info,
    );
    expect(page).toContain('<td><a href="/function/figlet">figlet</a></td>');
    expect(page).toContain('<td>node-1, node-2</td>');
    expect(page).toContain('<a href="/function/burn.dev">');
    expect(page).toContain('12.0 s ago');
    expect(page).toContain('<pre>curl http://127.0.0.1:8080/function/burn.dev');
    expect(page).not.toMatch(/<script|undefined|\[object/);
  });

  it('says so when nothing is deployed', async () => {
    expect(await renderPage(status([member({})]), info)).toContain('None is deployed yet.');
  });

  it('escapes whatever peers call themselves and their functions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        const evil = `<img src=x onerror='"${text}'>`;
        const page = await renderPage(
          status([member({ name: evil, address: evil, version: evil, functions: [`${evil}.openfaas-fn`] })]),
          info,
        );
        expect(page).not.toContain('<img');
        const inside = [...page.matchAll(/href="([^"]*)"/g)].map((match) => match[1] ?? '');
        expect(inside.every((href) => href.startsWith('/function/') && !href.includes("'"))).toBe(true);
      }),
    );
  });
});
