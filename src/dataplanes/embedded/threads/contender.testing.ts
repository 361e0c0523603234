/** A thread of `shared-memory.test.ts`: lets calls in and out of shared places as fast as it can, and tells what it saw. */
import { parentPort, workerData } from 'node:worker_threads';
import { seeded } from '../../../std/random.ts';
import { SharedBucket } from './shared-bucket.ts';
import { SharedMemory } from './shared-memory.ts';
import { SharedOccupancy } from './shared-occupancy.ts';

export type Contest = {
  readonly bytes: SharedArrayBuffer;
  readonly threads: number;
  readonly rounds: number;
  readonly most: number;
  /** Of the bucket at place 1, whose clock stands at `now`. */
  readonly perSecond: number;
  readonly now: number;
  readonly seed: number;
};

export type Outcome = { readonly mostSeen: number; readonly entered: number; readonly taken: number };

const { bytes, threads, rounds, most, perSecond, now, seed } = workerData as Contest;
const memory = SharedMemory.of(bytes, threads);
const calls = new SharedOccupancy(memory.words, memory.callsWord(0));
const bucket = new SharedBucket(memory.buckets, memory.bucketWord(1));
const random = seeded(seed);

let mostSeen = 0;
let entered = 0;
let taken = 0;
for (let round = 0; round < rounds; round += 1) {
  if (random() < 0.5) {
    if (calls.enter(most)) entered += 1;
  } else if (calls.own > 0) calls.leave();
  mostSeen = Math.max(mostSeen, calls.count);
  if (bucket.take(perSecond, now)) taken += 1;
}
while (calls.own > 0) calls.leave();
parentPort?.postMessage({ mostSeen, entered, taken } satisfies Outcome);
