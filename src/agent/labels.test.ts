import { describe, expect, test } from 'vitest';
import { settingsOf } from './labels.ts';

const deployment = (labels: Record<string, string> = {}, envVars: Record<string, string> = {}) =>
  settingsOf({ service: 'f', image: 'f', labels, envVars });

describe('settings of a function', () => {
  test('start one replica that may go, unless a minimum is given', () => {
    expect(deployment()).toMatchObject({ min: 0, first: 1, max: 0, perReplica: 0, maxRate: 0 });
    expect(deployment({ 'com.openfaas.scale.min': '0' })).toMatchObject({ min: 0, first: 0 });
    expect(deployment({ 'com.openfaas.scale.min': '3' })).toMatchObject({ min: 3, first: 3 });
  });

  test('let a call take as long as its function may run, and a moment more', () => {
    expect(deployment({}, { exec_timeout: '20' }).timeoutMs).toBe(20_500);
    expect(deployment({}, { exec_timeout: '1m30s' }).timeoutMs).toBe(90_500);
    expect(deployment({ 'dfaas.timeout_ms': '250' }, { exec_timeout: '20s' }).timeoutMs).toBe(250);
    for (const none of ['0', '', 'soon', '-1s'])
      expect(deployment({}, { exec_timeout: none }).timeoutMs).toBeUndefined();
  });

  test('read limits and rates, and nothing from what is no number', () => {
    expect(deployment({ 'dfaas.maxrate': '12.5', 'dfaas.timeout_ms': '250' }, { max_inflight: '4' })).toMatchObject({
      maxRate: 12.5,
      timeoutMs: 250,
      perReplica: 4,
    });
    expect(deployment({ 'dfaas.maxrate': 'many', 'com.openfaas.scale.max': '-1' })).toMatchObject({
      maxRate: 0,
      max: 0,
    });
  });

  test('read what a replica should carry, and how long it stays without calls', () => {
    const target = (labels: Record<string, string>) =>
      deployment({ 'com.openfaas.scale.target': '10', ...labels }).target;
    expect(deployment().target).toBeUndefined();
    expect(target({})).toEqual({ type: 'capacity', perReplica: 9 });
    expect(target({ 'com.openfaas.scale.type': 'rps', 'com.openfaas.scale.target-proportion': '0.5' })).toEqual({
      type: 'rps',
      perReplica: 5,
    });
    expect(deployment({ 'com.openfaas.scale.zero-duration': '90s' }).idleMs).toBe(90_000);
    expect(deployment().idleMs).toBeUndefined();
    expect(deployment({ 'com.openfaas.scale.zero': 'false' }).min).toBe(1);
    expect(deployment({ 'com.openfaas.scale.zero': 'true' }).min).toBe(0);
  });
});
