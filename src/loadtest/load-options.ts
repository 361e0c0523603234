/** What to send, how often and for how long. */
export type LoadOptions = {
  /** `http:` or `https:`. */
  readonly target: string;
  /**
   * Requests per second, more than 0, may be fractional: an open loop, requests leave on schedule whatever the answers
   * do. `max`: a closed loop, each connection sends its next request when its last was answered.
   */
  readonly rate: number | 'max';
  /** More than 0. */
  readonly durationMs: number;
  /** Default GET, or POST when there is a body. */
  readonly method?: string;
  readonly body?: Uint8Array;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** The most requests under way at once, each on its own connection. Default 512; 32 when the rate is `max`. */
  readonly connections?: number;
  /** From the sending of a request to the end of its answer. Default 10 000. */
  readonly timeoutMs?: number;
};

export const loadDefaults = {
  connections: 512,
  closedLoopConnections: 32,
  timeoutMs: 10_000,
} as const;
