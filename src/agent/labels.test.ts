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
    expect(deployment({}, { exec_timeout: '1000h' }).timeoutMs).toBe(86_400_000);
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

  test('read what a replica should carry, with the defaults of OpenFaaS', () => {
    const target = (labels: Record<string, string>) => deployment(labels).target;
    expect(target({})).toBeUndefined();
    expect(target({ 'com.openfaas.scale.target': '10' })).toEqual({ type: 'rps', perReplica: 9 });
    for (const type of ['rps', 'capacity', 'cpu', 'queue']) {
      expect(target({ 'com.openfaas.scale.type': type })).toEqual({ type, perReplica: 45 });
      const labels = { 'com.openfaas.scale.target': '10', 'com.openfaas.scale.target-proportion': '0.5' };
      expect(target({ ...labels, 'com.openfaas.scale.type': type })).toEqual({ type, perReplica: 5 });
    }
  });

  test('say whether the last replica may go, and when', () => {
    const labels = (min: string | undefined, zero?: string) =>
      deployment({
        ...(min !== undefined && { 'com.openfaas.scale.min': min }),
        ...(zero !== undefined && { 'com.openfaas.scale.zero': zero }),
      });
    expect(labels(undefined)).toMatchObject({ min: 0, first: 1, zero: true });
    expect(labels('0')).toMatchObject({ min: 0, first: 0, zero: true });
    expect(labels('2')).toMatchObject({ min: 2, first: 2, zero: false });
    expect(labels(undefined, 'false')).toMatchObject({ min: 1, first: 1, zero: false });
    expect(labels('0', 'false')).toMatchObject({ min: 1, first: 1, zero: false });
    expect(labels('2', 'false')).toMatchObject({ min: 2, first: 2, zero: false });
    expect(labels(undefined, 'true')).toMatchObject({ min: 0, first: 1, zero: true });
    expect(labels('2', 'true')).toMatchObject({ min: 2, first: 2, zero: true });
    expect(deployment({ 'com.openfaas.scale.zero-duration': '90s' }).idleMs).toBe(90_000);
    expect(deployment().idleMs).toBeUndefined();
  });
});
