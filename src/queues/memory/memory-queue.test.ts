import { describe } from 'vitest';
import { ManualClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { queueConformance } from '../queue.conformance.ts';
import { openMemoryQueue } from './memory-queue.ts';

describe('the queue in memory', () => {
  const clock = new ManualClock();
  queueConformance({
    begin: (limits) => openMemoryQueue({ clock, log: silentLog }, limits),
    pass: async (ms) => clock.advance(ms),
  });
});
