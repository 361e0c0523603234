import { setTimeout as sleep } from 'node:timers/promises';

const maxMb = 512;
const maxMs = 60_000;
const megabyte = 1024 * 1024;

/** What all calls of this replica hold. */
let heldMb = 0;

/** Holds `?mb=MEGABYTES` for `?ms=MILLISECONDS`: at most 512 MB in one replica, for a minute. For tests of memory. */
export default async function handler(request) {
  const query = new URL(request.url).searchParams;
  const mb = whole(query.get('mb') ?? '0', maxMb);
  const ms = whole(query.get('ms') ?? '0', maxMs);
  if (mb === undefined || ms === undefined) {
    return Response.json({ error: `mb is a whole number from 0 to ${maxMb}, ms from 0 to ${maxMs}` }, { status: 400 });
  }
  if (heldMb + mb > maxMb) {
    return Response.json({ error: `this replica holds ${heldMb} MB already; ${maxMb} are the most` }, { status: 429 });
  }
  heldMb += mb;
  try {
    // Written to, so that the machine has to provide it.
    const held = Array.from({ length: mb }, () => Buffer.alloc(megabyte, 1));
    await sleep(ms, undefined, { signal: request.signal });
    const rssMb = Math.round(process.memoryUsage.rss() / megabyte);
    return Response.json({ mb: held.length, ms, rssMb });
  } finally {
    heldMb -= mb;
  }
}

/** The number that a parameter gives; undefined when it makes no sense. */
const whole = (text, most) => {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value <= most ? value : undefined;
};
