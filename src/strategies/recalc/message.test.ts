import { describe, expect, it } from 'vitest';
import { functionKey, nodeId } from '../../domain/ids.ts';
import type { View } from '../strategy.ts';
import { functionView } from './virtual-federation.ts';
import { parseLimits } from './message.ts';

const self = nodeId('node-1');
const burn = functionKey('burn');
const view: View = {
  self,
  slots: 4,
  inFlight: 0,
  functions: { [burn]: functionView({ userRate: 0, maxRate: 1 }) },
  peers: [],
};

describe("a peer's limits", () => {
  it('are taken for the functions of the view, and no others', () => {
    expect(parseLimits({ to: self, limits: { [burn]: 0.5, 'other.openfaas-fn': -1 } }, view)).toEqual({ [burn]: 0.5 });
  });

  it.each([
    ['for another node', { to: 'node-2', limits: { [burn]: 1 } }],
    ['for no one', { limits: { [burn]: 1 } }],
    ['without limits', { to: self }],
    ['with a list of limits', { to: self, limits: [1] }],
    ['with a negative limit', { to: self, limits: { [burn]: -1 } }],
    ['with a limit that is no number', { to: self, limits: { [burn]: NaN } }],
    ['with a text for a limit', { to: self, limits: { [burn]: '16' } }],
    ['with no limit for a function', { to: self, limits: { [burn]: null } }],
    ['with more than a node can serve', { to: self, limits: { [burn]: 1e9 } }],
    ['with an endless limit', { to: self, limits: { [burn]: Infinity } }],
    ['that is a text', 'hello'],
    ['that is null', null],
    ['that is a list', [{ to: self, limits: {} }]],
  ])('are not taken from a message %s', (_, message) => {
    expect(parseLimits(message, view)).toBeUndefined();
  });
});
