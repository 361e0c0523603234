import { describe, expect, it } from 'vitest';
import { checkLabels } from './labels.ts';

describe('labels', () => {
  it.each([
    ['dfaas.maxrate', ['10', '0.5'], ['0', '-1', 'ten', '', '1e9', 'Infinity', ' 1']],
    ['dfaas.timeout_ms', ['6000'], ['0', '1.5', '-1', '99999999999']],
    ['com.openfaas.scale.min', ['0', '3'], ['-1', '1.0', 'x']],
    ['com.openfaas.scale.max', ['1', '20'], ['0', 'many']],
    ['com.openfaas.scale.factor', ['1', '100'], ['0', '101']],
    ['com.openfaas.scale.zero', ['true', 'false'], ['yes', 'TRUE']],
    ['com.openfaas.scale.zero-duration', ['90', '15m', '1h30m', '1.5s'], ['soon', '15 m', '-1s', '']],
    ['com.openfaas.scale.target', ['50', '0.5'], ['0', 'x']],
    ['com.openfaas.scale.target-proportion', ['0.9', '1'], ['0', '1.1']],
    ['com.openfaas.scale.type', ['rps', 'capacity', 'cpu', 'queue'], ['RPS', 'memory']],
  ])('%s is taken when it can be followed and refused by name when not', (label, good, bad) => {
    for (const value of good) expect(() => checkLabels({ [label]: value })).not.toThrow();
    for (const value of bad) expect(() => checkLabels({ [label]: value })).toThrow(`label ${label}: `);
  });

  it('carries all others unread', () => {
    expect(() => checkLabels({ topic: '', 'com.openfaas.scale.other': 'x', toString: 'x' })).not.toThrow();
  });
});
