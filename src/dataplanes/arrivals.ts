import type { NodeId } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import { bodyOf, Call, keep, keptBytes } from './call.ts';
import { clientTime, peerTime } from './deadline.ts';
import { type Incoming, type Outgoing, type Upgrade } from './exchange.ts';
import { valueOf, without } from './headers.ts';
import { addressOf, withOrigin, withOriginOf, type IsTrusted } from './origin.ts';
import type { Plane } from './plane.ts';
import type { Target } from './target.ts';

export type ArrivalNeeds = {
  readonly plane: Plane;
  readonly clock: Clock;
  /** 0 = no bound. */
  readonly maxBodyBytes: number;
  /** Whose words about clients are believed. */
  readonly isTrusted: IsTrusted;
};

/** A request for a function, whichever listener it came to. */
export type Arrival = {
  readonly request: Incoming;
  readonly response: Outgoing;
  readonly target: Target;
  readonly expectsContinue: boolean;
  /** The peer that sent it, as the channel proved; undefined for a client. */
  readonly from: NodeId | undefined;
  readonly upgrade: Upgrade | undefined;
};

/** Makes a call of a request and gives it to the plane. */
export const arrive = (needs: ArrivalNeeds, arrival: Arrival): void => {
  const { plane } = needs;
  const call = callOf(needs, arrival);
  if (!plane.knows(call.key)) return plane.refuseUnknown(call);
  const { from, expectsContinue, request } = arrival;
  const { body } = call;
  plane.begin(call);
  if (call.ended) return;
  if (body.kind === 'stream') {
    if (needs.maxBodyBytes > 0 || plane.records) measureBody(needs, call);
    if (needs.maxBodyBytes > 0 && (body.length ?? 0) > needs.maxBodyBytes) return plane.refuseBody(call);
  }
  const enter = (): void => (from === undefined ? plane.enter(call) : plane.receive(call, from));
  const short = body.kind === 'stream' && body.length !== undefined && body.length <= keptBytes;
  if (!short || expectsContinue) return enter();
  keep(request, (bytes) => {
    if (bytes === undefined || call.ended) return;
    call.body = { kind: 'kept', bytes };
    enter();
  });
};

const callOf = ({ clock, isTrusted }: ArrivalNeeds, arrival: Arrival): Call => {
  const { request, response, target, expectsContinue, from, upgrade } = arrival;
  const raw = request.rawHeaders;
  const address = from ?? addressOf(request);
  const startedAt = clock.monotonic();
  const asked = from === undefined ? clientTime(valueOf(raw, 'x-timeout')) : peerTime(valueOf(raw, 'x-skein-deadline'));
  const given = valueOf(raw, 'x-call-id');
  const startTime = from === undefined ? `${clock.now()}000000` : undefined;
  const headers = startTime === undefined ? withOriginOf(request) : withOrigin(request, address, isTrusted, startTime);
  return new Call({
    request,
    response,
    key: target.key,
    path: target.path,
    callId: given === '' ? undefined : given,
    from,
    address,
    hops: from === undefined ? 0 : Number(valueOf(raw, 'x-skein-hop') ?? 1),
    // What is left of it is said anew where the call goes.
    headers: asked.kind === 'none' ? headers : without(headers, 'x-timeout'),
    startedAt,
    startTime,
    asked,
    expectsContinue,
    upgrade,
    body: bodyOf(request),
  });
};

/** Counts the body; one of unknown length is cut off where the bound is passed. */
const measureBody = ({ plane, maxBodyBytes }: ArrivalNeeds, call: Call): void => {
  call.request.watchBody((bytes) => {
    call.bytesIn += bytes;
    if (maxBodyBytes > 0 && call.bytesIn > maxBodyBytes) plane.refuseBody(call);
  });
};
