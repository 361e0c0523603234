import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { spreadIn } from './statistics.ts';

const run = promisify(execFile);

/** A closed loop over `connections` keep-alive connections, by whatever program. Milliseconds. */
export type Measured = {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers that were not 2xx or 3xx, and requests without an answer. */
  readonly failed: number;
};

/** `wrk`, one thread, with the same POST again and again. */
export const runWrk = async (url: string, connections: number, seconds: number, body: string): Promise<Measured> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-wrk-'));
  try {
    const script = join(folder, 'post.lua');
    const lines = [
      'wrk.method = "POST"',
      `wrk.body = ${JSON.stringify(body)}`,
      'wrk.headers["Content-Type"] = "text/plain"',
    ];
    await writeFile(script, `${lines.join('\n')}\n`);
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency', '-s', script, url];
    const { stdout } = await run('wrk', args);
    const measured = parseWrk(stdout);
    if (measured.requests === 0) throw new Error(`${url} answered nothing:\n${stdout}`);
    return measured;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const units: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

const parseWrk = (text: string): Measured => {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  const latency = (share: number): number => {
    const [, value, unit = 'ms'] = new RegExp(`^\\s*${share}%\\s+([\\d.]+)(us|ms|s|m)`, 'm').exec(text) ?? [];
    return Number(value) * (units[unit] ?? 1);
  };
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? [];
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50: latency(50),
    p99: latency(99),
    failed:
      socketErrors.slice(1).reduce((total, count) => total + Number(count), 0) +
      number(/Non-2xx or 3xx responses: (\d+)/),
  };
};

/** Milliseconds, the medians of the runs: `0.12 / 0.83`. */
export const showLatency = (runs: readonly Measured[]): string =>
  [spreadIn(runs, ({ p50 }) => p50), spreadIn(runs, ({ p99 }) => p99)]
    .map(({ median }) => median.toFixed(2))
    .join(' / ');
