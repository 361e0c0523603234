import { gzipSync } from 'node:zlib';
import { manifestFile } from './manifest.ts';

/** Archives by hand, for tests: whatever a header can say, this can say. */
export type RawEntry = {
  readonly name: string;
  readonly contents?: string | Buffer;
  readonly type?: string;
  readonly mode?: number;
  readonly linkName?: string;
  /** When it differs from the contents' length. */
  readonly size?: number;
};

export const rawTar = (entries: readonly RawEntry[]): Buffer =>
  Buffer.concat([...entries.flatMap(rawEntry), Buffer.alloc(1024)]);

export const rawArchive = (entries: readonly RawEntry[]): Buffer => gzipSync(rawTar(entries));

/** The least that makes a bundle. */
export const goodEntries: readonly RawEntry[] = [
  { name: manifestFile, contents: JSON.stringify({ manifest: 1, mode: 'node', entry: 'handler.mjs' }) },
  { name: 'handler.mjs', contents: 'export default () => new Response("hi");\n' },
];

export const goodArchive = (more: readonly RawEntry[] = []): Buffer => rawArchive([...goodEntries, ...more]);

/** `LENGTH KEY=VALUE\n`, the length counting itself. */
export const paxRecord = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  const bare = Buffer.byteLength(rest);
  const length = bare + String(bare + String(bare).length).length;
  return `${length}${rest}`;
};

const rawEntry = (entry: RawEntry): readonly Buffer[] => {
  const contents = Buffer.from(entry.contents ?? '');
  const header = Buffer.alloc(512);
  header.write(entry.name, 0, 100);
  header.write(octal(entry.mode ?? 0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(entry.size ?? contents.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write('        ', 148);
  header.write(entry.type ?? '0', 156);
  header.write(entry.linkName ?? '', 157, 100);
  header.write('ustar\u000000', 257, 'latin1');
  header.write(
    `${octal(
      [...header].reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return [header, contents, Buffer.alloc((512 - (contents.length % 512)) % 512)];
};

const octal = (value: number, width: number): string => value.toString(8).padStart(width, '0');
