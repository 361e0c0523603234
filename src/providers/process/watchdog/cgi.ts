import type { IncomingMessage } from 'node:http';

/**
 * A request as OpenFaaS' watchdogs tell it in the environment of the process: `Http_NAME` for the first value of each
 * header, and what the request line says. `classic` has the length and the host too.
 */
export const cgiEnvironment = (request: IncomingMessage, classic: boolean): Readonly<Record<string, string>> => {
  const env: Record<string, string> = {};
  for (const [name, [value]] of goHeaders(request)) if (value !== undefined) env[variableOf(name)] = value;
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const query = mark === -1 ? '' : url.slice(mark + 1);
  env['Http_Method'] = request.method ?? 'GET';
  if (classic) {
    const length = request.headers['content-length'];
    const known = length ?? (request.headers['transfer-encoding'] === undefined ? '0' : '-1');
    env['Http_ContentLength'] = known;
    env['Http_Content_Length'] = known;
    if (request.headers.host !== undefined) env['Http_Host'] = request.headers.host;
  }
  const encoding = request.headers['transfer-encoding'];
  if (encoding !== undefined) env['Http_Transfer_Encoding'] = encoding;
  if (query !== '') env['Http_Query'] = query;
  env['Http_Path'] = decoded(mark === -1 ? url : url.slice(0, mark));
  return env;
};

/** Headers as Go's server hands them on: canonical names, every value, without what belongs to the connection. */
export const goHeaders = (request: IncomingMessage): ReadonlyMap<string, readonly string[]> => {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const name = canonical(request.rawHeaders[at] as string);
    if (name === 'Host' || name === 'Transfer-Encoding') continue;
    // Node reads header bytes as latin1; a program expects the bytes that were sent.
    const value = Buffer.from(request.rawHeaders[at + 1] as string, 'latin1').toString('utf8');
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  }
  return headers;
};

const variableOf = (name: string): string => `Http_${name.replaceAll('-', '_')}`;

const canonical = (name: string): string =>
  name
    .split('-')
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1).toLowerCase())
    .join('-');

/** No environment can hold a NUL, and not every path is encoded well: such a one is told as it came. */
const decoded = (path: string): string => {
  try {
    const text = decodeURIComponent(path);
    return text.includes('\0') ? path : text;
  } catch {
    return path;
  }
};
