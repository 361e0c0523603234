import { describe, expect, it } from 'vitest';
import { checkVariables } from './variables.ts';

describe('environment variables', () => {
  it.each([
    ['max_inflight', ['0', '100', ''], ['-1', '1.5', 'many', ' 1']],
    ['exec_timeout', ['0', '30', '30s', '1m30s', '500ms', ''], ['-1s', 'soon', '30 s', '1d']],
    ['read_timeout', ['5'], ['5x']],
    ['write_timeout', ['5s'], ['s5']],
    ['healthcheck_interval', ['100ms'], ['100 ms']],
    ['max_body_bytes', ['1048576'], ['1MiB']],
    ['max_output_bytes', ['1'], ['-1']],
    ['log_buffer_size', ['65536', '-1'], ['-2', '64k']],
  ])('%s is taken when a watchdog understands it and refused by name when not', (name, good, bad) => {
    for (const value of good) expect(() => checkVariables({ [name]: value })).not.toThrow();
    for (const value of bad) expect(() => checkVariables({ [name]: value })).toThrow(`environment variable ${name}: `);
  });

  it.each([
    [{ '': 'x' }, 'envVars: the name of a variable is empty'],
    [{ 'A=B': 'x' }, 'envVars: the name "A=B" holds ='],
    [{ 'A\0': 'x' }, 'envVars: the name "A\\u0000" holds'],
    [{ A: 'x\0y' }, 'envVars: the value of "A" holds NUL'],
  ])('are refused where no process can be given them: %j', (envVars, sentence) => {
    expect(() => checkVariables(envVars)).toThrow(sentence);
  });

  it("are a program's own otherwise", () => {
    expect(() => checkVariables({ mode: 'dark', TIMEOUT: 'soon', toString: 'x', write_debug: 'yes' })).not.toThrow();
  });
});
