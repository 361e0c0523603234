import { runLoad } from '../../src/loadtest/run-load.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

/** Calls of 400 ms a second: what node-1 (4 slots) and node-2 (8) carry without node-3 (16), and what they cannot. */
export const withoutIt = 22;
const notWithoutIt = 36;

/** Three nodes where node-1 is asked for more than it can, so that the fate of node-3 matters. */
export class HotSpot {
  readonly federation: Federation;
  readonly #bundles: Bundles;

  private constructor(federation: Federation, bundles: Bundles) {
    this.federation = federation;
    this.#bundles = bundles;
  }

  static async start(): Promise<HotSpot> {
    const bundles = await Bundles.build('burn');
    const federation = await Federation.start({ slots: [4, 8, 16] });
    await federation.deploy(bundles, 'burn');
    return new HotSpot(federation, bundles);
  }

  async end(): Promise<void> {
    await this.#bundles.remove();
    await this.federation.end();
  }

  /** At node-1. */
  get target(): string {
    return `${this.federation.node(1).url}/function/burn?sleep=400`;
  }

  /** The one that things happen to. */
  get third(): TestNode {
    return this.federation.node(3);
  }

  /** Resolves when node-3 serves calls that node-1 passes on. */
  async shared(): Promise<void> {
    await until(
      `${this.third.name} serves calls of the others`,
      async () => {
        const { nodes } = await runLoad({ target: this.target, rate: notWithoutIt, durationMs: 1_000 });
        return (nodes[this.third.name]?.served ?? 0) > 0;
      },
      60_000,
    );
  }
}
