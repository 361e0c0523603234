import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Manifest } from '../../bundles/manifest.ts';
import { timesFile } from './log-times.ts';

/** Logs of ended replicas that a function keeps. */
const keptLogs = 5;
const tailBytes = 8 * 1024;

export const logFile = (folder: string, id: string): string => join(folder, `${id}.log`);

/** What came before the log that is written now. */
export const earlierLog = (path: string): string => `${path}.1`;

/** Where both lie among all that was ever written there. */
export const startFile = (path: string): string => `${earlierLog(path)}.start`;

/** Moves the log that a pool worker wrote so far to the function it became; the open file goes with it. */
export const adoptLog = async (from: string, to: string): Promise<void> => {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await rename(from, to);
};

/** Removes the oldest logs of replicas that `live` does not name. */
export const pruneLogs = async (folder: string, live: ReadonlySet<string>): Promise<void> => {
  const ended: { readonly path: string; readonly at: number }[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.log') || live.has(name.slice(0, -'.log'.length))) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) ended.push({ path, at: found.mtimeMs });
  }
  ended.sort((one, other) => other.at - one.at);
  for (const { path } of ended.slice(keptLogs)) {
    for (const log of [path, earlierLog(path)]) {
      await rm(log, { force: true });
      await rm(timesFile(log), { force: true });
    }
    await rm(startFile(path), { force: true });
  }
};

/**
 * Adds a line of ours to the log of a replica, so that who reads it learns what became of it. Where there is no log, or the
 * disk is full, nothing happens.
 */
export const addLine = async (path: string, mode: Manifest['mode'], text: string, nowMs: number): Promise<void> => {
  try {
    const file = await open(path, constants.O_RDWR | constants.O_APPEND);
    try {
      const { size } = await file.stat();
      const last = size === 0 ? '\n' : (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer.toString();
      // What an http program writes gets its times beside the log.
      const time = mode === 'http' ? '' : `${new Date(nowMs).toISOString()} `;
      const line = `${time}skein: ${text.trim().replaceAll(/\s*\n\s*/g, ' | ')}\n`;
      await file.write(last === '\n' ? line : `\n${line}`);
    } finally {
      await file.close();
    }
  } catch {
    // It is told in the node's log too.
  }
};

/** The last few lines, without their times and stack frames, in one line: what to tell when a replica failed. */
export const lastLines = async (path: string, count = 5): Promise<string> => {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes));
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines
      .map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, '').trim())
      .filter((line) => line !== '' && !isFrame(line))
      .slice(-count)
      .join(' | ');
  } finally {
    await file.close();
  }
};

/** Of a stack trace of JavaScript. */
const isFrame = (line: string): boolean => /^at .+:\d+:\d+\)?$/.test(line);
