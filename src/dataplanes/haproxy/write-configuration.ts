import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelCredentials } from '../certificate.ts';
import { compile } from './configuration.ts';
import type { HaproxyProcess } from './haproxy-process.ts';
import { paths, type Settings } from './settings.ts';
import type { Shape } from './shape.ts';

/**
 * Configuration and maps, checked before any of it is in the place of what is in force; `invalid`, with HAProxy's own
 * words, when it would not start with them.
 */
export const writeConfiguration = async (
  shape: Shape,
  settings: Settings,
  { key, cert }: ChannelCredentials,
  process: Pick<HaproxyProcess, 'check'>,
): Promise<void> => {
  const where = paths(settings);
  const { configuration, files } = compile(shape, settings);
  const trial = join(settings.folder, 'trial');
  await mkdir(trial, { recursive: true, mode: 0o700 });
  const moved = (text: string): string => text.replaceAll(`${settings.folder}/`, `${trial}/`);
  const put = (path: string, text: string): Promise<void> => writeFile(path, text, { mode: 0o600 });
  const all = { ...files, [where.certificate]: `${cert}\n${key}\n` };
  for (const [path, text] of Object.entries(all)) await put(moved(path), text);
  await put(
    moved(where.configuration),
    moved(configuration).replace(`setenv SKEIN_MAPS ${settings.folder}\n`, `setenv SKEIN_MAPS ${trial}\n`),
  );
  await process.check(moved(where.configuration));
  for (const path of Object.keys(all)) await rename(moved(path), path);
  await put(where.configuration, configuration);
};
