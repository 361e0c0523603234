/**
 * Loggers are handed in. Fields first, then a constant sentence: `log.info({ peer, rttMs }, 'peer joined')`.
 * A pino logger is one.
 */
export type LogFields = Readonly<Record<string, unknown>>;

export type Log = {
  debug(fields: LogFields, sentence: string): void;
  info(fields: LogFields, sentence: string): void;
  warn(fields: LogFields, sentence: string): void;
  error(fields: LogFields, sentence: string): void;
};

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** For parts whose logs nobody asked for. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
