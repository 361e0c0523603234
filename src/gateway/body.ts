import type { z } from 'zod';
import { SkeinError, messageOf } from '../domain/errors.ts';
import { firstShape, issueSentence } from '../std/issue-sentence.ts';
import type { Call } from './call.ts';

/** Longest JSON body, bytes. */
const maxJsonBytes = 1024 * 1024;

/**
 * The call's JSON body in the shape of `schema`. `invalid` says where it is not, and does not quote the body when it is
 * `unquoted`; `too-large`. The content type is not asked for: OpenFaaS clients leave it out.
 */
export const readJson = async <Body>(
  call: Call,
  schema: z.ZodType<Body>,
  quoting: 'quoted' | 'unquoted' = 'quoted',
): Promise<Body> => check(parse(await readText(call), quoting), schema);

/** As `readJson`, for a body that may be left out. */
export const readOptionalJson = async <Body>(call: Call, schema: z.ZodType<Body>): Promise<Body | undefined> => {
  const text = await readText(call);
  return text.trim() === '' ? undefined : check(parse(text, 'quoted'), schema);
};

const check = <Body>(value: unknown, schema: z.ZodType<Body>): Body => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SkeinError('invalid', `validation failed: ${parsed.error.issues.slice(0, 5).map(sentence).join('; ')}`);
};

const parse = (text: string, quoting: 'quoted' | 'unquoted'): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const what = quoting === 'quoted' ? messageOf(cause) : 'the body is not JSON';
    throw new SkeinError('invalid', `failed to unmarshal request: ${what}`, { cause });
  }
};

const readText = async (call: Call): Promise<string> => {
  if (Number(call.headers.get('content-length') ?? 0) > maxJsonBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of call.body() ?? []) {
    bytes += chunk.length;
    if (bytes > maxJsonBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new SkeinError('invalid', 'failed to unmarshal request: the body is not UTF-8', { cause });
  }
};

const tooLarge = (): SkeinError =>
  new SkeinError('too-large', `the body is longer than ${maxJsonBytes} bytes: send a smaller document`);

const sentence = (issue: z.core.$ZodIssue): string => {
  const where = issue.path.map(String).join('.').slice(0, 100);
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  const what = missing ? 'is required' : issueSentence(firstShape(issue)).slice(0, 200);
  return where === '' ? `the body ${what}` : `${where}: ${what}`;
};
