import { setTimeout as pause } from 'node:timers/promises';
import type { LoadResult } from '../src/loadtest/load-result.ts';
import { runLoad } from '../src/loadtest/run-load.ts';
import { countOf, filesBelow, heldBy } from './lib/footprint.ts';
import { inRepository, withFederation, type BenchFederation } from './lib/federation.ts';
import { liveHeapOf } from './lib/live-heap.ts';
import { positive, readOptions } from './lib/options.ts';
import type { Role } from './lib/processes.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { meanOf, quantile, slopeOf, sum } from './lib/statistics.ts';

const about = `Three nodes of 4, 8 and 16 slots at half load for a long time: short and long calls, computing ones, large bodies, forked
programs, at all three nodes, most at the smallest. Memory, descriptors and processes of every process are looked at every
10 seconds. At each quarter agents, data planes and watchdogs collect their garbage, and what they then hold must stay flat.`;

const options = readOptions('soak', about, {
  minutes: { help: 'how long', fallback: '30' },
  share: { help: 'part of all slots that calls take', fallback: '0.5' },
  every: { help: 'seconds between looks', fallback: '10' },
  windows: { help: 'rows of the table of calls', fallback: '6' },
  quick: { help: '2 minutes, a look every 2 seconds', fallback: false },
});
const totalMs = options.quick ? 120_000 : positive(options.minutes) * 60_000;
const everyMs = options.quick ? 2_000 : positive(options.every) * 1000;
const share = positive(options.share);
const windowMs = totalMs / positive(options.windows);

const slots = [4, 8, 16];
/**
 * Flat, after a first quarter to warm up: what is held without garbage, descriptors, and for replicas the pages of each,
 * grew at most so much. Pages of other processes are shown only: garbage that nobody needs the room of is left lying.
 */
const mostGrowth = 0.05;
const mostGrowthBytes = 3 * 1024 ** 2;
const fewDescriptors = 16;
const leastMinutes = 20;

type Stream = {
  readonly function: string;
  readonly at: number;
  /** Calls a second before scaling, and how long each takes a slot. */
  readonly rate: number;
  readonly holdsMs: number;
  readonly query?: string;
  readonly body?: Uint8Array;
};

/** More than is kept for a second try. */
const largeBody = Buffer.alloc(200_000, 'skein ');

const streams: readonly Stream[] = [
  { function: 'burn', at: 1, rate: 25, holdsMs: 200, query: '?sleep=200' },
  { function: 'burn', at: 2, rate: 10, holdsMs: 200, query: '?sleep=200' },
  { function: 'burn', at: 3, rate: 10, holdsMs: 200, query: '?sleep=200' },
  { function: 'burn', at: 1, rate: 2, holdsMs: 2_000, query: '?sleep=2000' },
  { function: 'burn', at: 3, rate: 4, holdsMs: 10, query: '?cpu=10' },
  { function: 'echo', at: 1, rate: 10, holdsMs: 2, body: Buffer.from('Hello Skein') },
  { function: 'echo', at: 2, rate: 2, holdsMs: 10, body: largeBody },
  { function: 'figlet', at: 3, rate: 5, holdsMs: 3, body: Buffer.from('Skein') },
  { function: 'shasum', at: 2, rate: 5, holdsMs: 3, body: Buffer.from('abc') },
  { function: 'sha512sum', at: 1, rate: 0.5, holdsMs: 20, body: Buffer.from('abc') },
];
const scale = (share * sum(slots)) / sum(streams.map(({ rate, holdsMs }) => (rate * holdsMs) / 1000));

type Sample = {
  readonly seconds: number;
  /** By `node-1 agent` and its like; the workers of a node are one. */
  readonly groups: Readonly<Record<string, Group>>;
  readonly files: number;
};
type Group = { readonly processes: number; readonly pssBytes: number; readonly descriptors: number };
/** What a process holds without garbage, at a quarter's end. */
type Heap = { readonly seconds: number; readonly name: string; readonly bytes: number };
type Run = { readonly stream: Stream; readonly window: number; readonly result: LoadResult };

const sampleOf = async ({ nodes }: BenchFederation, began: number): Promise<Sample> => {
  const groups: Record<string, Group> = {};
  for (const node of nodes) {
    for (const held of await heldBy(node.pid())) {
      const name = `${node.name} ${roleNames[held.role]}`;
      const before = groups[name] ?? { processes: 0, pssBytes: 0, descriptors: 0 };
      groups[name] = {
        processes: before.processes + 1,
        pssBytes: before.pssBytes + held.pssBytes,
        descriptors: before.descriptors + countOf(held),
      };
    }
  }
  const files = sum(nodes.flatMap(({ folder }) => Object.values(filesBelow(folder).counts)));
  return { seconds: (performance.now() - began) / 1000, groups, files };
};

const heapsOf = async ({ nodes }: BenchFederation, began: number): Promise<readonly Heap[]> => {
  const heaps: Heap[] = [];
  for (const node of nodes) {
    for (const { pid, role } of await heldBy(node.pid())) {
      if (role === 'worker') continue;
      const bytes = await liveHeapOf(pid);
      heaps.push({ seconds: (performance.now() - began) / 1000, name: `${node.name} ${roleNames[role]}`, bytes });
    }
  }
  return heaps;
};

const roleNames: Readonly<Record<Role, string>> = {
  up: 'up',
  agent: 'agent',
  plane: 'data plane',
  worker: 'workers',
  /** Programs of classic and http mode. */
  other: 'others',
};

const load = ({ nodes }: BenchFederation, stream: Stream, durationMs: number): Promise<LoadResult> =>
  runLoad({
    target: `${nodes[stream.at - 1]!.url}/function/${stream.function}${stream.query ?? ''}`,
    rate: stream.rate * scale,
    durationMs,
    ...(stream.body !== undefined && { body: stream.body }),
  });

type Measured = {
  readonly samples: readonly Sample[];
  readonly heaps: readonly Heap[];
  readonly runs: readonly Run[];
};

const measure = (): Promise<Measured> =>
  withFederation({ slots }, async (federation) => {
    for (const name of new Set(streams.map((stream) => stream.function)))
      await federation.deploy(inRepository(`functions/${name}`), name);
    const began = performance.now();
    const samples: Sample[] = [];
    let over = false;
    const looking = (async () => {
      for (let look = 1; !over; look += 1) {
        await pause(Math.max(0, began + look * everyMs - performance.now()));
        if (!over) samples.push(await sampleOf(federation, began));
      }
    })();
    const heaps: Heap[] = [];
    const weighing = (async () => {
      for (const part of [0.25, 0.5, 0.75, 0.97]) {
        await pause(Math.max(0, began + part * totalMs - performance.now()));
        heaps.push(...(await heapsOf(federation, began)));
      }
    })();
    const windows = Array.from({ length: Math.round(totalMs / windowMs) }, (_, index) => index);
    const runs = await Promise.all(
      streams.flatMap((stream) =>
        windows.map(async (window) => {
          await pause(Math.max(0, began + window * windowMs - performance.now()));
          return { stream, window, result: await load(federation, stream, windowMs) };
        }),
      ),
    );
    over = true;
    await Promise.all([looking, weighing]);
    return { samples, heaps, runs };
  });

const megabytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);

type Course = {
  readonly name: string;
  readonly processes: readonly [first: number, last: number];
  readonly descriptors: readonly [second: number, last: number];
  readonly pss: readonly [second: number, last: number, most: number];
  readonly bytesPerHour: number;
  /** Without garbage, quarter by quarter; empty for replicas. */
  readonly heaps: readonly number[];
  readonly flat: boolean;
};

/** A quarter of the samples, counted from 0. */
const quarter = <T>(values: readonly T[], index: number): readonly T[] =>
  values.slice(Math.floor((index * values.length) / 4), Math.floor(((index + 1) * values.length) / 4));

const courseOf = (samples: readonly Sample[], weighed: readonly Heap[], name: string): Course => {
  const heaps = weighed.filter((heap) => heap.name === name).map(({ bytes }) => bytes);
  const all = samples.map(({ seconds, groups }) => ({
    seconds,
    ...(groups[name] ?? { processes: 0, pssBytes: 0, descriptors: 0 }),
  }));
  const [second, last] = [quarter(all, 1), quarter(all, 3)];
  const mean = (part: typeof all | typeof second, of: 'processes' | 'descriptors' | 'pssBytes'): number =>
    meanOf(part.map((one) => one[of]));
  const pss = [mean(second, 'pssBytes'), mean(last, 'pssBytes')] as const;
  const descriptors = [mean(second, 'descriptors'), mean(last, 'descriptors')] as const;
  // Replicas come and go with the load: more of them is not a leak of one.
  const come = /(workers|others)$/.test(name);
  const each = [pss[0] / mean(second, 'processes'), pss[1] / mean(last, 'processes')] as const;
  const [from, to] = heaps.length > 1 ? [heaps[0]!, heaps.at(-1)!] : each;
  const sameDescriptors = come || descriptors[1] <= descriptors[0] + fewDescriptors;
  return {
    name,
    processes: [all[0]?.processes ?? 0, all.at(-1)?.processes ?? 0],
    descriptors,
    pss: [...pss, Math.max(...all.map(({ pssBytes }) => pssBytes))],
    bytesPerHour:
      3_600 *
      slopeOf(all.slice(Math.floor(all.length / 4)).map(({ seconds, pssBytes }) => [seconds, pssBytes] as const)),
    heaps,
    flat: to <= from * (1 + mostGrowth) + mostGrowthBytes && sameDescriptors,
  };
};

const memoryTable = (courses: readonly Course[]): Table => ({
  title:
    'Descriptors and memory (PSS): means of the second quarter and of the last; and without garbage, after each quarter',
  header: ['processes', 'number', 'fds', 'last', 'MiB', 'last', 'most', 'MiB an hour', 'MiB without garbage', 'flat'],
  rows: courses.map(({ name, processes, descriptors, pss, bytesPerHour, heaps, flat }) => [
    name,
    processes.join('–'),
    ...descriptors.map((count) => count.toFixed(0)),
    ...pss.map(megabytes),
    megabytes(bytesPerHour),
    heaps.map(megabytes).join(', '),
    flat ? 'yes' : 'NO',
  ]),
});

const key = ({ function: name, at, query = '', body }: Stream): string =>
  `${name}${query}${body === largeBody ? ' (200 kB)' : ''} at node-${at}`;

const callTable = (runs: readonly Run[]): Table => ({
  title: `Calls, by ${(windowMs / 60_000).toFixed(1)} minutes; p50 / p99 ms`,
  header: ['from minute', 'sent', 'failed', 'unsent', ...probes.map(key)],
  rows: [...new Set(runs.map(({ window }) => window))].map((window) => {
    const here = runs.filter((run) => run.window === window);
    const total = (of: 'sent' | 'failed' | 'unsent'): string => String(sum(here.map(({ result }) => result[of])));
    return [
      ((window * windowMs) / 60_000).toFixed(1),
      ...(['sent', 'failed', 'unsent'] as const).map(total),
      ...probes.map((probe) => {
        const { p50, p99 } = here.find(({ stream }) => stream === probe)!.result.latencyMs;
        return `${p50.toFixed(0)} / ${p99.toFixed(0)}`;
      }),
    ];
  }),
});

/** Those whose times are shown. */
const probes = [streams[0]!, streams[2]!, streams[5]!, streams[6]!];

const failuresOf = (runs: readonly Run[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { stream, result } of runs) {
    for (const [what, count] of Object.entries({ ...result.reasons, ...result.errors }))
      counts[`${key(stream)}: ${what}`] = (counts[`${key(stream)}: ${what}`] ?? 0) + count;
  }
  return counts;
};

const machine = machineNow();
const { samples, heaps, runs } = await measure();
const names = [...new Set(samples.flatMap(({ groups }) => Object.keys(groups)))].sort();
const courses = names.map((name) => courseOf(samples, heaps, name));
const failures = failuresOf(runs);
const failed = sum(runs.map(({ result }) => result.failed + result.unsent));
const files = [quarter(samples, 1), quarter(samples, 3)].map((part) => meanOf(part.map((one) => one.files)));
const notes = [
  `Failed: ${
    Object.entries(failures)
      .map(([what, count]) => `${what} ${count}`)
      .join('; ') || 'none'
  }.`,
  `Files below the nodes' folders: ${files.map((count) => count.toFixed(0)).join(' in the second quarter, ')} in the last. Median gap between looks: ${quantile(
    samples.slice(1).map(({ seconds }, index) => seconds - samples[index]!.seconds),
    0.5,
  ).toFixed(1)} s.`,
  ...(totalMs < leastMinutes * 60_000 ? [`Less than ${leastMinutes} minutes: too short to call anything flat.`] : []),
];
publish(
  {
    name: 'soak',
    settings: `${(totalMs / 60_000).toFixed(0)} min, calls for ${share} of ${sum(slots)} slots (${(scale * sum(streams.map(({ rate }) => rate))).toFixed(0)} a second)`,
    tables: [memoryTable(courses), callTable(runs)],
    notes,
    data: {
      courses,
      failures,
      files,
      samples,
      heaps,
      runs: runs.map(({ stream, window, result }) => ({ stream: key(stream), window, result })),
    },
  },
  machine,
  options,
);
const steady = courses.every(({ flat }) => flat);
if (failed > 0 || (!steady && totalMs >= leastMinutes * 60_000)) process.exitCode = 1;
