import { setTimeout as pause } from 'node:timers/promises';
import { countOf, filesBelow, heldBy, type Held } from './lib/footprint.ts';
import { liveHeapOf } from './lib/live-heap.ts';
import { inRepository, withFederation, type BenchFederation, type BenchNode } from './lib/federation.ts';
import { positive, readOptions } from './lib/options.ts';
import { roleOf, treeOf, type Role } from './lib/processes.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { slopeOf, sum } from './lib/statistics.ts';

const about = `Deploys functions and deletes them again, thousands of times, at one node, and then counts what is left behind: processes,
descriptors, files, memory. A cycle: deploy under a new name; wait until it can be called; delete; wait until nobody knows it. In
every fourth a replica is started, called and ended; in the others none is wanted (com.openfaas.scale.min: 0).`;

const options = readOptions('deploy-cycles', about, {
  cycles: { help: 'how many', fallback: '10000' },
  concurrency: { help: 'cycles under way at once', fallback: '8' },
  'call-every': { help: 'a replica and a call in each of so many', fallback: '4' },
  names: { help: 'different names, in turn; 0 = a new one each time', fallback: '0' },
  quick: { help: '300 cycles', fallback: false },
});
const cycles = options.quick ? 300 : positive(options.cycles);
const concurrency = positive(options.concurrency);
const callEvery = positive(options['call-every']);
const names = options.names === '0' ? cycles : positive(options.names);

const slots = 16;
const looks = 10;
const cycleMs = 60_000;
const settleMs = 30_000;
/** Heaps find their size in the beginning: growth is judged from here on. */
const warmUpShare = 0.2;
/** Fewer cycles tell of the noise of a heap, not of growth. */
const enoughCycles = 2_000;
/** What a deleted function may cost in memory: its tombstone is kept for two weeks. */
const mostBytesPerCycle = 2_048;

type Judged = 'agent' | 'plane';
const judged: readonly Judged[] = ['agent', 'plane'];

type Look = {
  readonly cycles: number;
  readonly seconds: number;
  readonly held: readonly Held[];
  /** Bytes, without garbage. */
  readonly heaps: Readonly<Record<Judged, number>>;
  readonly files: Readonly<Record<string, number>>;
  readonly fileBytes: number;
  readonly records: number;
  readonly tombstones: number;
};

type Failure = { readonly cycle: number; readonly message: string };

const until = async (what: string, test: () => Promise<boolean>): Promise<void> => {
  const giveUpAt = performance.now() + cycleMs;
  while (!(await test())) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${cycleMs / 1000} s: ${what}`);
    await pause(50);
  }
};

const call = async (node: BenchNode, name: string): Promise<number> => {
  const signal = AbortSignal.timeout(cycleMs);
  const answer = await fetch(`${node.url}/function/${name}`, { method: 'POST', body: 'Skein', signal });
  await answer.arrayBuffer();
  return answer.status;
};

const runCycle = async ({ client, nodes }: BenchFederation, index: number): Promise<void> => {
  const node = nodes[0]!;
  const name = `cycle-${index % names}`;
  const called = index % callEvery === 0;
  const listed = async (): Promise<boolean> =>
    (await client.federation()).members[0]!.functions.includes(`${name}.openfaas-fn`);
  await client.deploy({ service: name, image: 'echo', ...(!called && { labels: { 'com.openfaas.scale.min': '0' } }) });
  if (called) await until(`${name} answers`, async () => (await call(node, name)) === 200);
  // A call would start a replica.
  else await until(`${name} is known`, listed);
  await client.remove(name);
  await until(`${name} is listed no more`, async () => !(await listed()));
  await until(`${name} is unknown to callers`, async () => (await call(node, name)) === 404);
};

const runCycles = async (federation: BenchFederation, from: number, to: number): Promise<readonly Failure[]> => {
  const failures: Failure[] = [];
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const cycle = next++;
      await runCycle(federation, cycle).catch((error: Error) => failures.push({ cycle, message: error.message }));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return failures;
};

const workersOf = (node: BenchNode): number => treeOf(node.pid()).filter((one) => roleOf(one) === 'worker').length;

/** Replicas end half a second after their function, and the pool fills itself again. */
const settled = async (node: BenchNode, workers: number): Promise<void> => {
  const giveUpAt = performance.now() + settleMs;
  while (workersOf(node) > workers && performance.now() < giveUpAt) await pause(100);
  await pause(1_000);
};

const lookAt = async ({ client, nodes }: BenchFederation, done: number, began: number): Promise<Look> => {
  const node = nodes[0]!;
  const { catalogue } = await client.federation();
  const plane = treeOf(node.pid()).find((one) => roleOf(one) === 'plane');
  // First: garbage that nobody collected yet is not counted as held either.
  const heaps = { agent: await liveHeapOf(node.pid()), plane: await liveHeapOf(plane!.pid) };
  const { counts, bytes } = filesBelow(node.folder);
  return {
    cycles: done,
    seconds: (performance.now() - began) / 1000,
    heaps,
    held: await heldBy(node.pid()),
    files: counts,
    fileBytes: bytes,
    records: catalogue.records,
    tombstones: catalogue.tombstones,
  };
};

const measure = (): Promise<{ readonly looks: readonly Look[]; readonly failures: readonly Failure[] }> =>
  withFederation({ slots: [slots] }, async (federation) => {
    const node = federation.nodes[0]!;
    // One that stays, so that its replica, its bundle and its metrics are there before and after.
    await federation.deploy(inRepository('bench/functions/echo'), 'echo', { 'com.openfaas.scale.min': '1' });
    await until('it answers', async () => (await call(node, 'echo')) === 200);
    await pause(3_000);
    const began = performance.now();
    const first = await lookAt(federation, 0, began);
    const workers = first.held.filter(({ role }) => role === 'worker').length;
    const found = [first];
    const failures: Failure[] = [];
    for (let part = 1; part <= looks; part += 1) {
      const [from, to] = [part - 1, part].map((share) => Math.round((cycles * share) / looks));
      failures.push(...(await runCycles(federation, from!, to!)));
      await settled(node, workers);
      found.push(await lookAt(federation, to!, began));
      const { seconds, tombstones } = found.at(-1)!;
      console.error(`${to} cycles, ${seconds.toFixed(0)} s, ${failures.length} failed, ${tombstones} tombstones`);
    }
    if ((await call(node, 'echo')) !== 200)
      failures.push({ cycle: cycles, message: 'the one that stays does not answer' });
    return { looks: found, failures };
  });

const megabytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);
const held = ({ held: processes }: Look, role: Role): readonly Held[] => processes.filter((one) => one.role === role);
const descriptors = (look: Look, role: Role): number => sum(held(look, role).map(countOf));
const pss = (look: Look, role: Role): number => sum(held(look, role).map(({ pssBytes }) => pssBytes));
const entries = ({ files }: Look): number => sum(Object.values(files));

const growthOf = (found: readonly Look[], role: Judged): number =>
  slopeOf(found.filter((look) => look.cycles >= warmUpShare * cycles).map((look) => [look.cycles, look.heaps[role]]));

/** What there is more of than in the beginning. */
const added = (before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): readonly string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((kind) => {
    const more = (after[kind] ?? 0) - (before[kind] ?? 0);
    return more === 0 ? [] : [`${kind} ${more > 0 ? '+' : ''}${more}`];
  });

const descriptorKinds = (look: Look, role: Role): Readonly<Record<string, number>> => {
  const total: Record<string, number> = {};
  for (const { descriptors: kinds } of held(look, role))
    for (const [kind, count] of Object.entries(kinds)) total[kind] = (total[kind] ?? 0) + count;
  return total;
};

const lookTable = (found: readonly Look[]): Table => ({
  title: 'After so many cycles, all of them ended',
  header: [
    'cycles',
    's',
    'processes',
    'agent fds',
    'plane fds',
    'files',
    'on disk MiB',
    'agent heap MiB',
    'plane heap MiB',
    'agent PSS MiB',
    'plane PSS MiB',
    'records',
    'tombstones',
  ],
  rows: found.map((look) => [
    String(look.cycles),
    look.seconds.toFixed(0),
    String(look.held.length),
    ...judged.map((role) => String(descriptors(look, role))),
    String(entries(look)),
    megabytes(look.fileBytes),
    ...judged.map((role) => megabytes(look.heaps[role])),
    ...judged.map((role) => megabytes(pss(look, role))),
    String(look.records),
    String(look.tombstones),
  ]),
});

type Verdict = { readonly what: string; readonly left: string; readonly verdict: string };

/** Connections come and go with the calls under way. */
const fewDescriptors = 16;

const verdictsOf = (found: readonly Look[]): readonly Verdict[] => {
  const [first, warm, last] = [found[0]!, found[1]!, found.at(-1)!];
  const judge = (nothing: boolean): string => (nothing ? 'nothing left' : 'LEFT BEHIND');
  const processes = last.held.length - first.held.length;
  const newFiles = added(first.files, last.files);
  return [
    { what: 'processes', left: String(processes), verdict: judge(processes <= 0) },
    ...judged.map((role) => {
      // The first connections of this script and of the node's parts to each other are kept for the next use.
      const more = descriptors(last, role) - descriptors(warm, role);
      const kinds = added(descriptorKinds(warm, role), descriptorKinds(last, role)).join(', ') || '0';
      return { what: `descriptors of the ${role}`, left: kinds, verdict: judge(more <= fewDescriptors) };
    }),
    { what: 'files', left: newFiles.join(', ') || '0', verdict: judge(entries(last) - entries(first) <= fewFiles) },
    ...judged.map((role) => {
      const growth = growthOf(found, role);
      const verdict = cycles < enoughCycles ? 'too few cycles to tell' : judge(growth <= mostBytesPerCycle);
      return { what: `memory of the ${role}`, left: `${growth.toFixed(0)} bytes a cycle`, verdict };
    }),
    { what: 'records', left: String(last.records - first.records), verdict: judge(last.records === first.records) },
  ];
};

/** The logs of the twenty functions deleted last are kept, and a log that is full begins anew. */
const fewFiles = 50;

const machine = machineNow();
const { looks: found, failures } = await measure();
const verdicts = verdictsOf(found);
publish(
  {
    name: 'deploy-cycles',
    settings: `${cycles} cycles, ${concurrency} at once, a replica and a call in each ${callEvery}th; ${names === cycles ? 'a new name each time' : `${names} names in turn`}`,
    tables: [
      lookTable(found),
      {
        title: 'What is left',
        header: ['of', 'at the end', 'verdict'],
        rows: [
          ...verdicts.map(({ what, left, verdict }) => [what, left, verdict]),
          ['failed cycles', String(failures.length), failures.length === 0 ? 'none' : failures[0]!.message],
        ],
      },
    ],
    data: { looks: found, verdicts, failures: failures.slice(0, 100) },
  },
  machine,
  options,
);
if (failures.length > 0 || verdicts.some(({ verdict }) => verdict === 'LEFT BEHIND')) process.exitCode = 1;
