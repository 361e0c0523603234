import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { functionKey } from '../domain/ids.ts';
import { KeptScale } from './kept-scale.ts';

const key = functionKey('echo');
const other = functionKey('other');

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-scale-'));
  path = join(folder, 'scale.json');
});
afterEach(() => rm(folder, { recursive: true }));

describe('replicas set by hand', () => {
  test('are known to the next agent, of that very function', async () => {
    const kept = await KeptScale.open(path);
    await Promise.all([
      kept.set(key, { replicas: 2, createdAt: 'then' }),
      kept.set(key, { replicas: 3, createdAt: 'then' }),
      kept.set(other, { replicas: 1, createdAt: 'then' }),
    ]);
    const next = await KeptScale.open(path);
    expect(next.get(key, 'then')).toBe(3);
    expect(next.get(key, 'later')).toBe(0);
    expect(await readdir(folder)).toEqual(['scale.json']);
  });

  test('are forgotten when the load decides again and when the function is gone', async () => {
    const kept = await KeptScale.open(path);
    await kept.set(key, { replicas: 3, createdAt: 'then' });
    await kept.set(other, { replicas: 3, createdAt: 'then' });
    await kept.set(key, { replicas: 0, createdAt: 'then' });
    expect((await KeptScale.open(path)).get(key, 'then')).toBe(0);
    await kept.retain(new Map());
    expect((await KeptScale.open(path)).get(other, 'then')).toBe(0);
  });

  test('are known beside what is at zero, until that is called or gone', async () => {
    const kept = await KeptScale.open(path);
    const rest = { createdAt: 'then', start: 'a' };
    await Promise.all([
      kept.rest(key, rest),
      kept.rest(other, rest),
      kept.set(other, { replicas: 2, createdAt: 'then' }),
    ]);
    const next = await KeptScale.open(path);
    expect(next.get(other, 'then')).toBe(2);
    expect(next.rests(key, rest)).toBe(true);
    expect(next.rests(key, { ...rest, createdAt: 'later' })).toBe(false);
    expect(next.rests(key, { ...rest, start: 'b' })).toBe(false);
    await next.rest(other, undefined);
    expect((await KeptScale.open(path)).rests(other, rest)).toBe(false);
    await next.retain(new Map([[other, undefined]]));
    expect((await KeptScale.open(path)).rests(key, rest)).toBe(false);
  });

  test('are none where the file is damaged', async () => {
    await writeFile(path, '{"version":1,"func');
    expect((await KeptScale.open(path)).get(key, 'then')).toBe(0);
  });
});
