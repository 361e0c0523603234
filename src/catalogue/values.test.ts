import { describe, expect, it } from 'vitest';
import { problemOf } from './values.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const deployment = { service: 'figlet', image: 'figlet:1' };
const value = { deployment, digest, createdAt: '2026-01-01T00:00:00.000Z' };

describe('problemOf', () => {
  it.each([
    ['function/openfaas-fn/figlet', value],
    ['function/openfaas-fn/figlet', { ...value, later: true }],
    ['function/team/figlet', { ...value, deployment: { ...deployment, namespace: 'team' } }],
    ['image/figlet:1', { digest }],
    ['override/openfaas-fn/figlet/1', { selector: ['skein.node==a'], labels: { a: 'b' } }],
    ['namespace/team', { labels: { openfaas: '1' }, annotations: {} }],
    ['secret/openfaas-fn/api_key.pem', { sealed: 'v1.AAAA', updatedAt: '2026-01-01T00:00:00.000Z' }],
    ['function/openfaas-fn/figlet', null],
    ['something-of-a-later-version/x', 42],
    ['no-slash', { any: 'thing' }],
  ])('finds nothing wrong under %s', (key, good) => {
    expect(problemOf(key, good)).toBeUndefined();
  });

  it.each([
    ['function/openfaas-fn/figlet', { ...value, digest: 'sha256:0' }],
    ['function/openfaas-fn/figlet', { ...value, deployment: { ...deployment, service: '../etc' } }],
    ['function/openfaas-fn/other', value],
    ['function/team/figlet', value],
    ['function/openfaas-fn/figlet', 'text'],
    ['image/figlet:1', { digest: 1 }],
    ['namespace/Team', { labels: {}, annotations: {} }],
    ['namespace/team/x', { labels: {}, annotations: {} }],
    ['namespace/team', { labels: { a: 1 }, annotations: {} }],
    ['secret/openfaas-fn/..', { sealed: 'v1.AAAA', updatedAt: '2026-01-01T00:00:00.000Z' }],
    ['secret/openfaas-fn/a/b', { sealed: 'v1.AAAA', updatedAt: '2026-01-01T00:00:00.000Z' }],
    ['secret/openfaas-fn', { sealed: 'v1.AAAA', updatedAt: '2026-01-01T00:00:00.000Z' }],
    ['secret/openfaas-fn/a', { sealed: '', updatedAt: 'then' }],
    ['override/openfaas-fn/figlet/1', { labels: { a: 'b' } }],
    ['override/openfaas-fn/figlet/1', { selector: [], labels: { a: 1 } }],
  ])('finds what is wrong under %s', (key, bad) => {
    expect(problemOf(key, bad)).toEqual(expect.any(String));
  });
});
