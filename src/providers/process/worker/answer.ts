import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** What a handler may set headers to; null and undefined leave one out. */
export type HeaderValues = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;

/**
 * Sends a handler's value: text as `text/plain`, bytes as `application/octet-stream`, nothing as an empty body, anything
 * else as JSON. Headers that the handler set win.
 */
export const sendValue = (response: ServerResponse, status: number, headers: HeaderValues, value: unknown): void => {
  const { body, type } = encode(value);
  const sent: OutgoingHttpHeaders = {};
  let typed = false;
  let framed = false;
  for (const name of Object.keys(headers)) {
    const given = headers[name];
    if (given === undefined || given === null) continue;
    const lower = name.toLowerCase();
    if (lower === 'content-type') typed = true;
    if (lower === 'content-length' || lower === 'transfer-encoding') framed = true;
    sent[name] = typeof given === 'object' ? [...given] : String(given);
  }
  if (!typed && type !== undefined) sent['content-type'] = type;
  // With a length an answer goes out, and on through the data plane, in one piece.
  if (!framed && status !== 204 && status !== 304) sent['content-length'] = Buffer.byteLength(body ?? '');
  response.writeHead(status, sent).end(body);
};

/** The handler broke: the caller gets one line, the log gets the rest. */
export const sendFault = (response: ServerResponse, error: unknown, status = 500): void => {
  console.error(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
    .end(`the function failed: ${firstLine(error)}\n`);
};

const encode = (value: unknown): { readonly body?: string | Uint8Array; readonly type?: string } => {
  if (value === undefined || value === null) return {};
  if (typeof value === 'string') return { body: value, type: 'text/plain; charset=utf-8' };
  if (value instanceof Uint8Array) return { body: value, type: 'application/octet-stream' };
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? {} : { body: json, type: 'application/json' };
};

const firstLine = (error: unknown): string => {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split('\n', 1)[0]?.slice(0, 200) ?? '';
};
