/** What the agent tells a watchdog, once, as JSON on its standard input. */
export type ToWatchdog = {
  /** Where to listen. */
  readonly socket: string;
  /** Absolute path of the program that `fprocess` names. */
  readonly program: string;
  /** Where processes run. */
  readonly folder: string;
  /** The whole environment of the function, `fprocess` included. */
  readonly env: Readonly<Record<string, string>>;
  /** A folder of its own, for pipes and request bodies. */
  readonly scratch: string;
  /** Where it writes which processes run. */
  readonly children: string;
};
