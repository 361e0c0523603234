import { setTimeout as sleep } from 'node:timers/promises';

const maxMs = 60_000;

/** The number a query parameter gives; 0 without it, undefined when it makes no sense. */
const milliseconds = (query, name) => {
  const text = query.get(name) ?? '0';
  const value = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value <= maxMs ? value : undefined;
};

const spin = (ms) => {
  for (const end = performance.now() + ms; performance.now() < end;);
};

/** Spends time: `?sleep=MS` waits, `?cpu=MS` computes. For tests of load. */
export default async function handler(request) {
  const query = new URL(request.url).searchParams;
  const sleepMs = milliseconds(query, 'sleep');
  const cpuMs = milliseconds(query, 'cpu');
  if (sleepMs === undefined || cpuMs === undefined) {
    return Response.json({ error: `sleep and cpu are milliseconds from 0 to ${maxMs}` }, { status: 400 });
  }
  const started = performance.now();
  if (sleepMs > 0) await sleep(sleepMs);
  if (cpuMs > 0) spin(cpuMs);
  return Response.json({ sleepMs, cpuMs, tookMs: Math.round(performance.now() - started) });
}
