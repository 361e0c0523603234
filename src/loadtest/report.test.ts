import { expect, test } from 'vitest';
import type { LoadResult } from './load-result.ts';
import { loadReport, progressLine } from './report.ts';

const result: LoadResult = {
  target: 'http://127.0.0.1:8080/function/burn',
  rate: 300,
  achievedRate: 300,
  durationSeconds: 20,
  sent: 5990,
  succeeded: 5985,
  failed: 5,
  unsent: 10,
  successRatio: 0.9975,
  statuses: { 200: 5985, 503: 3 },
  errors: { timeout: 2 },
  reasons: { full: 3 },
  latencyMs: { mean: 51.2, p50: 50.9, p90: 55, p99: 80.25, max: 1204 },
  nodes: { 'node-1': { served: 1500, p50: 50.1, p99: 60 }, 'node-2': { served: 4485, p50: 51, p99: 80 } },
  perSecond: [],
};

test('a report says everything once', () => {
  expect(loadReport(result)).toBe(
    `target     http://127.0.0.1:8080/function/burn
requests   300 a second; 300 a second sent for 20 s
sent       5990
succeeded  5985 (99.75 % of all that were due)
failed     5
unsent     10: every connection was taken (--connections)
latency    mean 51.2 ms, p50 50.9 ms, p90 55 ms, p99 80.3 ms, max 1.2 s
statuses   200: 5985, 503: 3
errors     timeout: 2
reasons    full: 3

NODE    SERVED    SHARE      P50    P99
node-1    1500  25.06 %  50.1 ms  60 ms
node-2    4485  74.93 %    51 ms  80 ms`,
  );
});

test('a report leaves out what did not happen', () => {
  const none = {
    ...result,
    sent: 0,
    succeeded: 0,
    failed: 0,
    unsent: 0,
    statuses: {},
    errors: {},
    reasons: {},
    nodes: {},
  };
  expect(loadReport(none)).not.toMatch(/unsent|latency|statuses|errors|reasons|NODE/);
});

test('progress is one line', () => {
  const { sent, succeeded, failed, latencyMs } = result;
  expect(progressLine({ elapsedMs: 2003, sent, succeeded, failed, unsent: 0, latencyMs })).toBe(
    '2 s: sent 5990, ok 5985, failed 5, p50 50.9 ms, p99 80.3 ms',
  );
});
