import { SkeinError } from '../domain/errors.ts';
import { parseSeconds } from '../std/duration.ts';

type Rule = { readonly holds: (value: string) => boolean; readonly must: string };

const time: Rule = {
  holds: (value) => value.length <= 32 && parseSeconds(value) !== undefined,
  must: 'must be a number of seconds or a duration such as 500ms or 1m30s',
};

const count: Rule = {
  holds: (value) => /^\d{1,9}$/.test(value),
  must: 'must be a whole number, 0 for no bound',
};

const bytes: Rule = {
  holds: (value) => /^\d{1,15}$/.test(value),
  must: 'must be a number of bytes',
};

const lineBytes: Rule = {
  holds: (value) => value === '-1' || bytes.holds(value),
  must: 'must be a number of bytes, -1 for no bound',
};

/** The variables that mean something to a watchdog, by names that no program uses for something else. */
const rules: Readonly<Record<string, Rule>> = {
  max_inflight: count,
  exec_timeout: time,
  read_timeout: time,
  write_timeout: time,
  healthcheck_interval: time,
  max_body_bytes: bytes,
  max_output_bytes: bytes,
  log_buffer_size: lineBytes,
};

/**
 * Refuses, with `invalid` and the variable's name, what no process can be given and what a watchdog could only ignore. Empty values
 * count as not given.
 */
export const checkVariables = (envVars: Readonly<Record<string, string>>): void => {
  for (const [name, value] of Object.entries(envVars)) {
    const problem = unusable(name, value);
    if (problem !== undefined) throw new SkeinError('invalid', `envVars: ${problem}`);
  }
  for (const [name, { holds, must }] of Object.entries(rules)) {
    const value = Object.hasOwn(envVars, name) ? envVars[name] : undefined;
    if (value !== undefined && value !== '' && !holds(value)) {
      const shown = JSON.stringify(value.slice(0, 64));
      throw new SkeinError('invalid', `environment variable ${name}: ${must}; it is ${shown}`);
    }
  }
};

const unusable = (name: string, value: string): string | undefined => {
  if (name === '') return 'the name of a variable is empty';
  const shown = JSON.stringify(name.slice(0, 64));
  if (/[=\0]/.test(name)) return `the name ${shown} holds = or NUL, which no name of a variable may`;
  return value.includes('\0') ? `the value of ${shown} holds NUL, which no variable may` : undefined;
};
