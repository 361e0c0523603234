import { copyFile, stat, truncate } from 'node:fs/promises';

/**
 * Keeps a log that some process appends to from growing without end: one longer than `maxBytes` is copied to
 * `FILE.1`, over the one before, and emptied. What is written in between is lost; a file that is not there is no fault.
 */
export const boundFile = async (file: string, maxBytes: number): Promise<void> => {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || found.size <= maxBytes) return;
  await copyFile(file, `${file}.1`);
  await truncate(file, 0);
};
