import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { LogLines } from './log-lines.ts';

const written = (chunks: readonly string[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-l-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'a');
  try {
    const lines = new LogLines(fd);
    for (const chunk of chunks) lines.write(chunk);
    lines.flush();
    return readFileSync(path, 'utf8');
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
};

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;

it('puts the time before each line, however the text is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z\n]{0,8}$/), { maxLength: 12 }), (chunks) => {
      const lines = written(chunks).split('\n').slice(0, -1);
      for (const line of lines) expect(line).toMatch(time);
      const bare = lines.map((line) => line.replace(time, ''));
      const text = chunks.join('');
      expect(bare.join('\n')).toBe(text.endsWith('\n') ? text.slice(0, -1) : text);
    }),
    { numRuns: 50 },
  );
});

it('cuts a line that does not end', () => {
  expect(written(['x'.repeat(20_000), 'y\n']).split('\n')).toHaveLength(3);
});
