import { silentLog, type Log } from '../telemetry/log.ts';

/** What a command's parts have to say to the person who called it: warnings and errors, one line each. */
export const terminalLog: Log = {
  ...silentLog,
  warn: (fields, sentence) => console.error(`skein: ${sentence}${shown(fields)}`),
  error: (fields, sentence) => console.error(`skein: ${sentence}${shown(fields)}`),
};

const shown = (fields: Readonly<Record<string, unknown>>): string => {
  const entries = Object.entries(fields).map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return entries.length === 0 ? '' : ` (${entries.join(', ')})`;
};
