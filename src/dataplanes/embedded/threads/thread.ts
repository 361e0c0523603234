/** One of the threads that carry calls beside the first: begun by `ThreadCarrier`, told by its messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../../domain/errors.ts';
import { systemClock } from '../../../std/clock.ts';
import { createLogger } from '../../../telemetry/logger.ts';
import { OwnCarrier } from '../carrier.ts';
import { alignedClock } from './aligned-clock.ts';
import { SharedMemory } from './shared-memory.ts';
import { SharedPlaces } from './shared-places.ts';
import { SharedTurns } from './shared-turns.ts';
import type { Answer, Order, ThreadLaunch, Word } from './thread-protocol.ts';

const { settings, memory: bytes, thread, threads, clockOffsetMs } = workerData as ThreadLaunch;
const say = (word: Word): void => parentPort?.postMessage(word);
const log = createLogger({
  level: settings.logLevel,
  format: settings.logFormat,
  fields: { node: settings.nodeName, part: 'data plane', thread },
});

const memory = SharedMemory.of(bytes, threads);
const places = new SharedPlaces(memory, thread);
const turns = new SharedTurns({ memory, places, thread, onRoom: () => carrier.server.plane.roomCame() });

const carrier: OwnCarrier = await OwnCarrier.open({
  settings,
  clock: alignedClock(systemClock, clockOffsetMs),
  log,
  onDemand: (demand) => say({ kind: 'demand', demand }),
  onCall: settings.accessLog === undefined ? undefined : (record) => say({ kind: 'call', record }),
  shared: { places, turns },
  onPlaces: (changes) => places.learn(changes),
  warmPath: `${settings.controlSocket}w${thread}`,
});

process.on('uncaughtException', (error) => {
  // As in the first thread: one broken call must not end all the others.
  log.error({ error: error.stack ?? error.message }, 'a fault in the data plane');
});

const obey = async (order: Order): Promise<Answer> => {
  switch (order.kind) {
    case 'plan':
      await carrier.apply(order.command, order.places);
      return undefined;
    case 'hint':
      carrier.hint(order.peers);
      return undefined;
    case 'attend':
      carrier.attend(order.attended);
      return undefined;
    case 'observe':
      return await carrier.observe();
    case 'metrics':
      return await carrier.metrics();
    case 'listen':
      await carrier.listen(order.ports);
      return undefined;
    case 'drain':
      await carrier.drain(order.ms);
      return undefined;
  }
};

parentPort?.on('message', (order: Order) => {
  void obey(order).then(
    (answer) => 'id' in order && say({ kind: 'done', id: order.id, answer }),
    (error: unknown) => {
      if ('id' in order) say({ kind: 'failed', id: order.id, message: messageOf(error) });
      else log.error({ error: messageOf(error) }, 'a thread of the data plane could not do as told');
    },
  );
});

say({ kind: 'ready' });
