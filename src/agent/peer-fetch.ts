import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import type { ChannelCredentials } from '../dataplanes/certificate.ts';
import { PeerAgents } from '../dataplanes/peer-channel.ts';
import { SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { PeerPlan } from '../routing/plan.ts';

const connectTimeoutMs = 2_000;
/** To one peer: logs that are followed hold one each, as many as a gateway serves at once, and the rest must still pass. */
const maxSockets = 48;

/** The agent's own requests to peers, over the same channel as forwarded calls: both sides prove who they are. */
export class PeerFetch {
  readonly #agents: PeerAgents;

  constructor(credentials: ChannelCredentials) {
    this.#agents = new PeerAgents(credentials, { connectTimeoutMs, maxSockets });
  }

  /** As `fetch`, for a path at a peer. `unavailable` when it cannot be reached. */
  async fetch(peer: PeerPlan, path: string, init: RequestInit): Promise<Response> {
    const request = httpsRequest({
      agent: this.#agents.of(peer),
      path,
      method: init.method ?? 'GET',
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(init.signal != null && { signal: init.signal }),
    });
    return new Promise((resolve, reject) => {
      // Not once: an abort may be followed by the socket's own error.
      request.on('error', (cause) => {
        reject(new SkeinError('unavailable', `${peer.name} cannot be reached: ${cause.message}`, { cause }));
      });
      request.once('response', (answer) => {
        const headers = new Headers();
        for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
          headers.append(answer.rawHeaders[index] ?? '', answer.rawHeaders[index + 1] ?? '');
        }
        const status = answer.statusCode ?? 502;
        const body = status === 204 || status === 304 ? null : (Readable.toWeb(answer) as ReadableStream);
        resolve(new Response(body, { status, headers }));
      });
      request.end(typeof init.body === 'string' ? init.body : undefined);
    });
  }

  /** Closes what leads to peers that left. */
  retain(ids: ReadonlySet<NodeId>): void {
    this.#agents.retain(ids);
  }

  stop(): void {
    this.#agents.destroy();
  }
}
