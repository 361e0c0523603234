import { SkeinError } from '../domain/errors.ts';
import { ByteReader } from './byte-reader.ts';

/** One file or folder of an archive. `body` must be read before the next entry is asked for; what is left is skipped. */
export type TarEntry = {
  /** As the archive spells it; nothing about it is checked but that it is text. */
  readonly path: string;
  readonly kind: 'file' | 'folder';
  readonly executable: boolean;
  readonly bytes: number;
  readonly body: AsyncIterable<Buffer>;
};

const blockBytes = 512;
/** Long names and extended headers are a few hundred bytes; a larger one only wants our memory. */
const maxExtensionBytes = 16 * 1024;

/** What may stand in front of an entry and changes how it is read. */
type Extension = { readonly path?: string; readonly bytes?: number };

/**
 * Reads an uncompressed tar (ustar, pax and GNU long names) of plain files and folders, in constant memory. Everything
 * else a tar may hold — links, devices, pipes, sparse files — is `invalid`, and so is an archive without its end mark or
 * with anything behind it.
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source);
  let extension: Extension | undefined;
  for (;;) {
    const block = await reader.take(blockBytes);
    if (block === undefined) throw invalid('ends without an end mark');
    if (isZero(block)) break;
    const header = parseHeader(block);
    if (header.type === 'x' || header.type === 'L' || header.type === 'g') {
      if (extension !== undefined && header.type !== 'g') throw invalid('has two extended headers in a row');
      const body = await takeExtension(reader, header.bytes);
      if (header.type === 'x') extension = paxExtension(body);
      else if (header.type === 'L') extension = { path: text(untilNul(body)) };
      else refuseGlobal(body);
      continue;
    }
    const kind = kindOf(header);
    const bytes = extension?.bytes ?? header.bytes;
    if (kind === 'folder' && bytes > 0) throw invalid('has a folder with contents of its own');
    const path = extension?.path ?? header.path;
    extension = undefined;
    const body = reader.upTo(bytes);
    yield { path, kind, executable: header.executable, bytes, body };
    for await (const _ of body);
    await reader.skip(padding(bytes));
  }
  if (extension !== undefined) throw invalid('ends with an extended header');
  await expectOnlyZeros(reader);
}

type Header = {
  readonly path: string;
  readonly type: string;
  readonly bytes: number;
  readonly executable: boolean;
};

const parseHeader = (block: Buffer): Header => {
  if (octal(block.subarray(148, 156)) !== checksum(block)) throw invalid('has a damaged header');
  const name = text(untilNul(block.subarray(0, 100)));
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? text(untilNul(block.subarray(345, 500))) : '';
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[156] ?? 0),
    bytes: octal(block.subarray(124, 136)),
    executable: (octal(block.subarray(100, 108)) & 0o111) !== 0,
  };
};

const refused: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a pipe',
  K: 'a link with a long name',
  S: 'a sparse file',
};

const kindOf = (header: Header): 'file' | 'folder' => {
  if (header.type === '5') return 'folder';
  if (header.type === '0') return 'file';
  // The oldest tars mark a folder by the slash at its end.
  if (header.type === '\0') return header.path.endsWith('/') ? 'folder' : 'file';
  const what = refused[header.type] ?? 'something that is neither a file nor a folder';
  throw invalid(`holds ${what} (${JSON.stringify(header.path)}); only plain files and folders may be in a bundle`);
};

const takeExtension = async (reader: ByteReader, bytes: number): Promise<Buffer> => {
  if (bytes > maxExtensionBytes) throw invalid('has an extended header that is too long');
  const body = await reader.take(bytes);
  if (body === undefined) throw invalid('ends in the middle of an extended header');
  await reader.skip(padding(bytes));
  return body;
};

const paxExtension = (body: Buffer): Extension => {
  const records = paxRecords(body);
  for (const key of records.keys()) if (key.startsWith('GNU.sparse.')) throw invalid('holds a sparse file');
  const path = records.get('path');
  const size = records.get('size');
  if (size !== undefined && !/^\d{1,15}$/.test(size)) throw invalid('has a size that is no number');
  return { ...(path === undefined ? {} : { path }), ...(size === undefined ? {} : { bytes: Number(size) }) };
};

/** A global header speaks of every entry behind it: harmless as a comment (git writes one), misleading as anything else. */
const refuseGlobal = (body: Buffer): void => {
  for (const key of paxRecords(body).keys()) {
    if (key !== 'comment') throw invalid(`has a global header that sets ${JSON.stringify(key)}`);
  }
};

/** `LENGTH KEY=VALUE\n`, the length counting itself. */
const paxRecords = (body: Buffer): ReadonlyMap<string, string> => {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const digits = space < 0 ? '' : body.toString('latin1', at, space);
    const length = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
    const equals = body.indexOf(0x3d, space);
    const end = at + length;
    if (equals < 0 || equals >= end || end > body.length || body[end - 1] !== 0x0a) {
      throw invalid('has a damaged extended header');
    }
    records.set(text(body.subarray(space + 1, equals)), text(body.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
};

const expectOnlyZeros = async (reader: ByteReader): Promise<void> => {
  for await (const chunk of reader.rest()) if (!isZero(chunk)) throw invalid('goes on behind its end mark');
};

const octal = (field: Buffer): number => {
  const digits = field.toString('latin1').replaceAll('\0', ' ').trim();
  if (!/^[0-7]*$/.test(digits)) throw invalid('has a damaged header');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
};

/** The sum of the header's bytes, its own field counted as spaces. */
const checksum = (block: Buffer): number => {
  let sum = 8 * 0x20;
  for (const [index, byte] of block.entries()) if (index < 148 || index >= 156) sum += byte;
  return sum;
};

const utf8 = new TextDecoder('utf-8', { fatal: true });

const text = (bytes: Buffer): string => {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new SkeinError('invalid', 'The archive has a name that is not UTF-8.', { cause });
  }
};

const untilNul = (field: Buffer): Buffer => {
  const nul = field.indexOf(0);
  return nul < 0 ? field : field.subarray(0, nul);
};

const padding = (bytes: number): number => (blockBytes - (bytes % blockBytes)) % blockBytes;

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

const invalid = (what: string): SkeinError => new SkeinError('invalid', `The archive ${what}.`);
