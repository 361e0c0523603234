import type { FunctionSettings } from './labels.ts';
import type { FunctionValue } from '../catalogue/record.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionRef } from '../domain/function.ts';
import type { FunctionSpec } from '../providers/provider.ts';
import type { StartFault } from './start-fault.ts';

/** A function of the catalogue, as this node sees it. */
export type Hosted = {
  readonly key: FunctionKey;
  readonly ref: FunctionRef;
  readonly value: FunctionValue;
  readonly settings: FunctionSettings;
  /** What to run here; undefined when the function lives elsewhere. */
  readonly spec: FunctionSpec | undefined;
  /** The provider has it: a call can start it. */
  ready: boolean;
  /** Why it is not ready, for people. */
  problem?: string;
  /** Set where it is not ready and will not be for a while. */
  fault?: StartFault;
};
