import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import type { LoggerOptions } from './logger.ts';

const lines = (options: LoggerOptions, use: (log: ReturnType<typeof createLogger>) => void): readonly string[] => {
  const written: string[] = [];
  use(createLogger(options, { write: (line) => void written.push(line) }));
  return written;
};

describe('a logger', () => {
  it('writes one JSON object a line, with the level by name', () => {
    const [line] = lines({ level: 'info', format: 'json', fields: { node: 'node-1' } }, (log) => {
      log.info({ peer: 'node-2', rttMs: 3 }, 'peer joined');
    });
    expect(line?.endsWith('\n')).toBe(true);
    const { time, ...rest } = JSON.parse(line ?? '') as Record<string, unknown>;
    expect(rest).toEqual({ level: 'info', node: 'node-1', peer: 'node-2', rttMs: 3, msg: 'peer joined' });
    expect(new Date(String(time)).getTime()).toBeGreaterThan(0);
  });

  it('leaves out what is below its level', () => {
    const write = (log: ReturnType<typeof createLogger>): void => {
      log.debug({}, 'a');
      log.warn({}, 'b');
      log.error({}, 'c');
    };
    expect(lines({ level: 'warn', format: 'json' }, write)).toHaveLength(2);
    expect(lines({ level: 'silent', format: 'json' }, write)).toHaveLength(0);
  });

  it.each(['json', 'human'] as const)('hides credentials in %s', (format) => {
    const [line] = lines({ level: 'info', format }, (log) => {
      log.info(
        {
          authorization: 'Basic hunter2',
          headers: { authorization: 'hunter2', 'proxy-authorization': 'hunter2', cookie: 'hunter2' },
          request: { headers: { Authorization: 'hunter2', 'set-cookie': ['hunter2'] } },
          password: 'hunter2',
        },
        'asked',
      );
    });
    expect(line).not.toContain('hunter2');
    expect(line).toContain('[hidden]');
  });

  it('writes lines for people: time, level, sentence, fields', () => {
    const [line] = lines({ level: 'info', format: 'human' }, (log) => {
      log.warn({ peer: 'node-2', why: 'two words', count: 3, list: [1] }, 'peer fell silent');
    });
    expect(line).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}peer fell silent {2}peer=node-2 {2}why="two words" {2}count=3 {2}list=\[1\]\n$/,
    );
  });

  it('shows an error with its stack, in one event', () => {
    const [line] = lines({ level: 'info', format: 'human' }, (log) => {
      log.error({ error: new TypeError('it broke') }, 'request failed');
    });
    expect(line).toContain('error="it broke"');
    expect(line).toMatch(/\n {4}at .*logger\.test\.ts/);
  });

  it('lets nobody forge a line or drive the terminal', () => {
    const [line] = lines({ level: 'info', format: 'human' }, (log) => {
      log.info({ ['k\n\u001B[31mey']: 'v\n12:00:00.000 ERROR forged', other: '\u001B[2J\u009B' }, 'said\nmore');
    });
    expect(line?.indexOf('\n')).toBe((line?.length ?? 0) - 1);
    // oxlint-disable-next-line no-control-regex -- looking for control characters is the point
    expect(line?.slice(0, -1)).not.toMatch(/[\u0000-\u001F\u007F-\u009F]/);
  });
});
