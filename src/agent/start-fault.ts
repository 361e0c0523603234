/** Why a function that lives here cannot be started now. */
export type StartFault =
  /** The provider says that what is deployed cannot run. */
  | 'unfit'
  /** What is to run is not here, and the next try to get it is some time away. */
  | 'missing'
  /** Replicas are started and fail. */
  | 'failing';

const sentences: Record<StartFault, string> = {
  unfit: 'What was deployed cannot be run there.',
  missing: 'Its image could not be brought there.',
  failing: 'Its replicas end, or are not ready in time, when they are started.',
};

/** What is known of a function that lives at peers only, none of which can start it. */
export const failsElsewhere = 'It fails at the nodes where it lives.';

/**
 * What callers are told. They need no password, and what a provider or a program says may quote the environment or a secret: so nothing
 * of that is in it. Whoever has the password finds it in the function's status.
 */
export const sentenceOf = (fault: StartFault): string => sentences[fault];
