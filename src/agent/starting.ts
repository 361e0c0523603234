import type { FunctionProvider } from '../providers/provider.ts';
import type { ReplicaPlan } from '../routing/plan.ts';
import type { Hosted } from './hosted.ts';
import type { Neighbours } from './neighbours.ts';
import { failsElsewhere, sentenceOf, type StartFault } from './start-fault.ts';

export type StartingNeeds = {
  readonly provider: Pick<FunctionProvider, 'resolve' | 'failing'>;
  readonly neighbours: Pick<Neighbours, 'members' | 'fails'>;
};

/** Which functions run here or can be started, and why others cannot. */
export class Starting {
  readonly #needs: StartingNeeds;

  constructor(needs: StartingNeeds) {
    this.#needs = needs;
  }

  /** The ready ones. */
  replicas({ ref, spec }: Hosted): readonly ReplicaPlan[] {
    return spec === undefined ? [] : this.#needs.provider.resolve(ref);
  }

  /** A call finds a replica here, or starts one. */
  isHere(hosted: Hosted): boolean {
    return hosted.spec !== undefined && hosted.ready && this.fault(hosted) === undefined;
  }

  /** Why it cannot be started, although it lives here. */
  fault({ ref, spec, ready, fault }: Hosted): StartFault | undefined {
    if (spec === undefined) return undefined;
    if (!ready) return fault;
    return this.#needs.provider.failing?.(ref) === true ? 'failing' : undefined;
  }

  /** Why nobody can start it, as far as is known here: for callers. */
  problem(hosted: Hosted): string | undefined {
    const { neighbours } = this.#needs;
    if (hosted.spec === undefined) {
      const failing = neighbours.members().some(({ id }) => neighbours.fails(id, hosted.key));
      return failing ? failsElsewhere : undefined;
    }
    const fault = this.fault(hosted);
    return fault && sentenceOf(fault);
  }
}
