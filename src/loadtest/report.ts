import { formatMs } from '../std/duration.ts';
import { textTable } from '../std/text-table.ts';
import type { LoadResult } from './load-result.ts';
import type { LoadProgress } from './run-load.ts';

/** The result as a person reads it. */
export const loadReport = (result: LoadResult): string => {
  const { latencyMs, rate } = result;
  const asked = rate === 'max' ? 'as many as possible' : `${rate} a second`;
  const lines: [string, string][] = [
    ['target', result.target],
    ['requests', `${asked}; ${result.achievedRate} a second sent for ${result.durationSeconds} s`],
    ['sent', String(result.sent)],
    ['succeeded', `${result.succeeded} (${percent(result.successRatio)} of all that were due)`],
    ['failed', String(result.failed)],
  ];
  if (result.unsent > 0) lines.push(['unsent', `${result.unsent}: every connection was taken (--connections)`]);
  if (result.succeeded > 0) {
    const { mean, p50, p90, p99, max } = latencyMs;
    const figures = Object.entries({ mean, p50, p90, p99, max }).map(([name, ms]) => `${name} ${formatMs(ms)}`);
    lines.push(['latency', figures.join(', ')]);
  }
  for (const field of ['statuses', 'errors', 'reasons'] as const) {
    const counts = Object.entries(result[field]).map(([name, count]) => `${name}: ${count}`);
    if (counts.length > 0) lines.push([field, counts.join(', ')]);
  }
  const width = Math.max(...lines.map(([name]) => name.length));
  const summary = lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  return Object.keys(result.nodes).length === 0 ? summary : `${summary}\n\n${nodeTable(result)}`;
};

const nodeTable = (result: LoadResult): string =>
  textTable(
    ['NODE', 'SERVED', 'SHARE', 'P50', 'P99'],
    Object.entries(result.nodes).map(([name, { served, p50, p99 }]) => [
      name,
      String(served),
      percent(served / result.succeeded),
      formatMs(p50),
      formatMs(p99),
    ]),
    ['left', 'right', 'right', 'right', 'right'],
  );

/** One line of progress. */
export const progressLine = (progress: LoadProgress): string => {
  const { elapsedMs, sent, succeeded, failed, unsent, latencyMs } = progress;
  const counts = `sent ${sent}, ok ${succeeded}, failed ${failed}${unsent > 0 ? `, unsent ${unsent}` : ''}`;
  return `${Math.round(elapsedMs / 1000)} s: ${counts}, p50 ${formatMs(latencyMs.p50)}, p99 ${formatMs(latencyMs.p99)}`;
};

/** Never says 100 % of what is not whole. */
const percent = (ratio: number): string => `${Math.floor(ratio * 10_000) / 100} %`;
