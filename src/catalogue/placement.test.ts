import { describe, expect, it } from 'vitest';
import type { Digest } from '../domain/ids.ts';
import { applyOverrides, isPlaced, parseConstraints, placementOf, revisionOf, type NodeFacts } from './placement.ts';
import type { FunctionValue } from './record.ts';

const node: NodeFacts = { name: 'node-2', roles: ['edge', 'gpu'], labels: { zone: 'north' }, location: 'eu-west' };
const digest = `sha256:${'a'.repeat(64)}` as Digest;
const value: FunctionValue = {
  deployment: { service: 'figlet', image: 'figlet:1', labels: { 'dfaas.maxrate': '10', keep: 'yes' } },
  digest,
  createdAt: '2026-01-01T00:00:00Z',
};

describe('isPlaced', () => {
  it.each([
    [[], true],
    [['skein.node==node-2'], true],
    [['skein.node==node-1'], false],
    [['skein.node!=node-1'], true],
    [['skein.node!=node-2'], false],
    [['skein.role==gpu'], true],
    [['skein.role==ingress'], false],
    [['skein.role!=ingress'], true],
    [['label.zone==north'], true],
    [['label.zone = north'], true],
    [['label.zone!=south'], true],
    [['label.rack==1'], false],
    [['label.rack!=1'], true],
    [['label.constructor!=x'], true],
    [['location==eu-west'], true],
    [['skein.location != eu-west'], false],
    [['skein.role==gpu', 'location==us'], false],
  ] as const)('%j is %s', (constraints, expected) => {
    expect(isPlaced(parseConstraints(constraints), node)).toBe(expected);
  });

  it.each([['kubernetes.io/arch = amd64'], ['skein.colour==red'], ['node-2'], ['skein.node=='], ['label.==x'], ['']])(
    'refuses %j and names what is known',
    (constraint) => {
      expect(() => parseConstraints([constraint])).toThrow(expect.objectContaining({ code: 'invalid' }));
      expect(placementOf([constraint], node).placed).toBe(false);
    },
  );

  it('names the known keys when it meets an unknown one', () => {
    expect(() => parseConstraints(['kubernetes.io/arch=amd64'])).toThrow(/skein\.node, skein\.role, location/);
  });
});

describe('applyOverrides', () => {
  it('lays matching overrides over the deployment, in order', () => {
    const effective = applyOverrides(
      value,
      [
        { selector: ['skein.node==node-2'], labels: { 'dfaas.maxrate': '50' }, envVars: { A: '1' } },
        { selector: ['skein.node==node-1'], labels: { 'dfaas.maxrate': '99' } },
        { selector: [], labels: { 'dfaas.maxrate': '60' }, limits: { memory: '64Mi' } },
      ],
      node,
    );
    expect(effective).toEqual({
      service: 'figlet',
      image: 'figlet:1',
      labels: { 'dfaas.maxrate': '60', keep: 'yes' },
      envVars: { A: '1' },
      limits: { memory: '64Mi' },
    });
  });

  it('leaves the catalogue value as it is, and an override nobody understands out', () => {
    const before = structuredClone(value);
    expect(applyOverrides(value, [{ selector: ['who==knows'], labels: { x: 'y' } }], node)).toEqual(value.deployment);
    expect(value).toEqual(before);
  });
});

describe('revisionOf', () => {
  const revision = (change: Partial<FunctionValue['deployment']>, of: Digest = digest): string =>
    revisionOf({ digest: of }, applyOverrides({ ...value, deployment: { ...value.deployment, ...change } }, [], node));

  it('stays for what does not change what runs', () => {
    const plain = revision({});
    expect(revision({ constraints: ['skein.node==node-2'] })).toBe(plain);
    expect(revision({ envVars: null, secrets: [], annotations: {}, envProcess: '' })).toBe(plain);
    expect(revision({ labels: { keep: 'yes', 'dfaas.maxrate': '10' } })).toBe(plain);
    expect(plain).toMatch(/^[0-9a-f]{16}$/);
  });

  it('changes with the code, the environment and the labels', () => {
    const all = [
      revision({}),
      revision({}, `sha256:${'b'.repeat(64)}` as Digest),
      revision({ envVars: { A: '1' } }),
      revision({ labels: { keep: 'no' } }),
      revision({ limits: { memory: '1Gi' } }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
