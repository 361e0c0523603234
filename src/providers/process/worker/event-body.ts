import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';

/**
 * `RAW_BODY`, `MAX_RAW_SIZE` (text and raw bodies) and `MAX_JSON_SIZE` (JSON and forms) of OpenFaaS' Node templates. Sizes are
 * bytes or `100kb`, `1mb`. Their default of 100 kB surprises more people than it protects: here it is 16 MiB.
 */
export type BodyLimits = { readonly raw: boolean; readonly rawBytes: number; readonly jsonBytes: number };

const defaultBytes = 16 * 1024 * 1024;

export const bodyLimits = (env: Readonly<Record<string, string | undefined>>): BodyLimits => ({
  raw: env['RAW_BODY'] === 'true',
  rawBytes: parseSize(env['MAX_RAW_SIZE']) ?? defaultBytes,
  jsonBytes: parseSize(env['MAX_JSON_SIZE']) ?? defaultBytes,
});

const units: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Undefined for what is not a size. */
const parseSize = (text: string | undefined): number | undefined => {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?\s*$/i.exec(text ?? '');
  if (match?.[1] === undefined) return undefined;
  return Math.floor(Number(match[1]) * (units[match[2]?.toLowerCase() ?? 'b'] ?? 1));
};

type Fault = { readonly status: 413; readonly message: string };

/** Collects a whole body, up to the limit of its kind. A caller that leaves is not answered. */
export const readBody = (
  request: IncomingMessage,
  limits: BodyLimits,
  done: (fault: Fault | undefined, bytes: Buffer) => void,
): void => {
  const limit = !limits.raw && kindOf(request) !== 'text' ? limits.jsonBytes : limits.rawBytes;
  const chunks: Buffer[] = [];
  let length = 0;
  const collect = (chunk: Buffer): void => {
    length += chunk.length;
    if (length <= limit) {
      chunks.push(chunk);
      return;
    }
    request.off('data', collect).off('end', finish);
    done({ status: 413, message: `the body is larger than ${limit} bytes` }, Buffer.alloc(0));
  };
  const finish = (): void => done(undefined, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
  request.on('data', collect).on('end', finish).on('error', ignore);
};

const ignore = (): void => {};

type Parsed = { readonly value: unknown; readonly fault?: string };

export const parseBody = (request: IncomingMessage, bytes: Buffer, limits: BodyLimits): Parsed => {
  if (limits.raw) return { value: bytes };
  if (bytes.length === 0) return { value: kindOf(request) === 'text' && announcesBody(request) ? '' : {} };
  const text = bytes.toString();
  switch (kindOf(request)) {
    case 'json':
      return parseJson(text);
    case 'form':
      // curl -d sends this type whatever the text is: without a `=` it is no form.
      return { value: text.includes('=') ? parse(text) : text };
    case 'text':
      return { value: text };
  }
};

const parseJson = (text: string): Parsed => {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { value: undefined, fault: `the body is not JSON: ${(error as Error).message}` };
  }
};

const kindOf = (request: IncomingMessage): 'json' | 'form' | 'text' => {
  const type = request.headers['content-type'];
  if (type === undefined) return 'text';
  const bare = (type.includes(';') ? type.slice(0, type.indexOf(';')) : type).trim().toLowerCase();
  if (bare === 'application/json') return 'json';
  return bare === 'application/x-www-form-urlencoded' ? 'form' : 'text';
};

const announcesBody = (request: IncomingMessage): boolean =>
  request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
