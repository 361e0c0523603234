import type { CallRecord } from '../../../telemetry/call-record.ts';
import type { Demand, Observation, PeerHint } from '../../data-plane.ts';
import type { Ports } from '../../plane-server.ts';
import type { Launch, PlanCommand } from '../protocol.ts';
import type { PlaceChanges } from './place-directory.ts';

/** What a thread is begun with. */
export type ThreadLaunch = {
  readonly settings: Launch;
  readonly memory: SharedArrayBuffer;
  readonly thread: number;
  readonly threads: number;
  /** What `performance.now()` of the first thread and `process.hrtime` differ by, milliseconds: times are compared among threads. */
  readonly clockOffsetMs: number;
};

/** From the first thread; what has an id is answered. */
export type Order =
  | { readonly kind: 'plan'; readonly id: number; readonly command: PlanCommand; readonly places: PlaceChanges }
  | { readonly kind: 'hint'; readonly peers: readonly PeerHint[] }
  | { readonly kind: 'attend'; readonly attended: boolean }
  | { readonly kind: 'observe' | 'metrics'; readonly id: number }
  | { readonly kind: 'listen'; readonly id: number; readonly ports: Ports }
  | { readonly kind: 'drain'; readonly id: number; readonly ms: number };

export type Answer = Observation | readonly unknown[] | undefined;

/** To the first thread. */
export type Word =
  /** It can be told what to do. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | { readonly kind: 'demand'; readonly demand: Demand }
  | { readonly kind: 'call'; readonly record: CallRecord };
