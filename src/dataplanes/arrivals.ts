import type { NodeId } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import { bodyOf, Call, keep, keptBytes } from './call.ts';
import { clientTime, peerTime } from './deadline.ts';
import { watchBody, type Incoming, type Outgoing, type Upgrade } from './exchange.ts';
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
  readonly upgrade?: Upgrade;
};

/** How long the rest of a body is read after the answer. */
const lingerMs = 5_000;

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
    linger(call);
    if (needs.maxBodyBytes > 0 || plane.records) measureBody(needs, call);
    if (needs.maxBodyBytes > 0 && (body.length ?? 0) > needs.maxBodyBytes) return refuseBody(plane, call);
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
  const headers = from === undefined ? withOrigin(request, address, isTrusted) : withOriginOf(request);
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
    asked,
    expectsContinue,
    upgrade,
    body: bodyOf(request),
  });
};

/**
 * A client that is answered before it has sent its whole body may send the rest, so that it finds its answer and keeps
 * its connection, but not for ever.
 */
const linger = ({ request, response }: Call): void => {
  response.once('close', () => {
    if (request.complete || request.socket.destroyed) return;
    setTimeout(() => request.complete || request.socket.destroy(), lingerMs).unref();
  });
};

/** The connection ends with the answer, but first the rest of the body is read for a while: else it would cost the answer. */
const refuseBody = (plane: Plane, call: Call): void => {
  if (call.ended) return;
  const { socket } = call.request;
  socket.destroySoon = () => socket.end?.();
  plane.refuseBody(call);
  call.request.resume();
};

/** Counts the body; one of unknown length is cut off where the bound is passed. */
const measureBody = ({ plane, maxBodyBytes }: ArrivalNeeds, call: Call): void => {
  watchBody(call.request, (bytes) => {
    call.bytesIn += bytes;
    if (maxBodyBytes > 0 && call.bytesIn > maxBodyBytes) refuseBody(plane, call);
  });
};
