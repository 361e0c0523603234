import { SkeinError } from '../../domain/errors.ts';
import type { Plan, TcpAddress } from '../../routing/plan.ts';
import type { DataPlane, Demand, Observation, PeerHint } from '../data-plane.ts';
import { PlaneServer, type PlaneServerNeeds } from '../plane-server.ts';

/**
 * A data plane in this very process, for tests and simulations: the same plane and listeners as the embedded one, real
 * sockets, and no process, file or restart of its own. It ends with who made it.
 */
export class MemoryDataPlane implements DataPlane {
  readonly #needs: Omit<PlaneServerNeeds, 'onDemand'>;
  readonly #server: PlaneServer;
  readonly #listeners = new Set<(demand: Demand) => void>();
  #ports: { readonly gatewayPort: number; readonly peerPort: number } | undefined;

  constructor(needs: Omit<PlaneServerNeeds, 'onDemand'>) {
    this.#needs = needs;
    this.#server = new PlaneServer({
      ...needs,
      onDemand: (demand) => {
        for (const listener of this.#listeners) listener(demand);
      },
    });
  }

  async start(): Promise<void> {
    try {
      this.#ports ??= await this.#server.listen();
    } catch (cause) {
      this.#server.close();
      throw new SkeinError('unavailable', 'the data plane cannot listen', { cause });
    }
  }

  async stop(drainMs: number): Promise<void> {
    await this.#server.drain(drainMs);
    this.#server.close();
    this.#ports = undefined;
  }

  /** Nothing is left for another agent: there is no process to adopt. */
  release(): Promise<void> {
    return this.stop(0);
  }

  address(): { readonly gateway: TcpAddress; readonly peer: TcpAddress } {
    if (this.#ports === undefined) throw new SkeinError('unavailable', 'the data plane was not started yet');
    const { gateway, peer } = this.#needs;
    return {
      gateway: { kind: 'tcp', host: gateway.host, port: this.#ports.gatewayPort },
      peer: { kind: 'tcp', host: peer.host, port: this.#ports.peerPort },
    };
  }

  apply(plan: Plan): Promise<void> {
    this.#server.plane.apply(plan);
    return Promise.resolve();
  }

  /** Never adopted: it begins with its agent. */
  carried(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  hint(peers: readonly PeerHint[]): void {
    this.#server.plane.hint(peers);
  }

  observe(): Promise<Observation> {
    return Promise.resolve(this.#server.plane.observe());
  }

  metrics(): Promise<readonly unknown[]> {
    return this.#server.instruments.metrics();
  }

  onDemand(listener: (demand: Demand) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
