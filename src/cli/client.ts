import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { SkeinError, type ErrorCode } from '../domain/errors.ts';
import { functionStatus, type FunctionDeployment, type FunctionStatus } from '../domain/function.ts';
import type { Digest } from '../domain/ids.ts';
import { federationStatus, override, type FederationStatus, type Override } from '../gateway/needs.ts';
import type { Globals } from './globals.ts';
import { UsageError } from './usage-error.ts';

/** The OpenFaaS API of one gateway, as user admin. What it refuses comes as a `SkeinError` with its own sentence. */
export type Client = {
  readonly url: string;
  list(namespace?: string): Promise<readonly FunctionStatus[]>;
  /** With usage, and with how it is at each node. `not-found`. */
  describe(name: string, namespace?: string): Promise<FunctionStatus>;
  /** Updates the function, or deploys it when there is none. */
  deploy(deployment: FunctionDeployment): Promise<'updated' | 'deployed'>;
  /** `not-found`. */
  remove(name: string, namespace?: string): Promise<void>;
  /** `not-found` when there is no such function. */
  overrides(name: string, namespace?: string): Promise<readonly Override[]>;
  /** Writes or replaces. `not-found`, `invalid`. */
  setOverride(name: string, override: Override, namespace?: string): Promise<void>;
  /** `not-found`. */
  removeOverride(name: string, id: string, namespace?: string): Promise<void>;
  /** Any other route, with a JSON body where one is given. A refusal is thrown. `limitMs` 0 = no bound. */
  request(method: string, path: string, body?: unknown, limitMs?: number): Promise<Response>;
  /** Stores a bundle and lets `image` mean it. */
  putBundle(digest: Digest, image: string, archive: Readable, bytes: number): Promise<void>;
  /** The federation as the gateway's node sees it. */
  federation(): Promise<FederationStatus>;
  /** Calls a function; any status is an answer. */
  invoke(path: string, init: RequestInit): Promise<Response>;
};

export const defaultGateway = 'http://127.0.0.1:8080';
const timeoutMs = 60_000;
/** A bundle may be large and the line slow. */
const uploadTimeoutMs = 600_000;

export const createClient = (globals: Globals): Client => {
  const url = gatewayUrl(globals.gateway ?? defaultGateway);
  const credentials = readPassword(globals);
  const call = async (path: string, init: RequestInit = {}, limitMs = timeoutMs): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (credentials.password !== undefined) headers.set('authorization', basicAuth(credentials.password));
    const response = await send(url, path, {
      ...(limitMs > 0 && { signal: AbortSignal.timeout(limitMs) }),
      ...init,
      headers,
    });
    if (response.status === 401) throw refused(url, credentials);
    return response;
  };
  const sendJson = (method: string, path: string, value: unknown): Promise<Response> =>
    call(path, { method, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } });

  return {
    url,
    list: async (namespace) =>
      z.array(functionStatus).parse(await (await done(call(`/system/functions${query({ namespace })}`))).json()),
    describe: async (name, namespace) => {
      const path = `/system/function/${encodeURIComponent(name)}${query({ namespace, usage: '1', nodes: '1' })}`;
      return functionStatus.parse(await (await done(call(path), unknown(name))).json());
    },
    deploy: async (deployment) => {
      const updated = await sendJson('PUT', '/system/functions', deployment);
      if (updated.status !== 404) {
        await done(updated);
        return 'updated';
      }
      await done(sendJson('POST', '/system/functions', deployment));
      return 'deployed';
    },
    remove: async (name, namespace) => {
      const body = { functionName: name, ...(namespace === undefined ? {} : { namespace }) };
      await done(sendJson('DELETE', `/system/functions${query({ namespace })}`, body), unknown(name));
    },
    overrides: async (name, namespace) => {
      const response = await done(call(overridePath(name, undefined, namespace)));
      return z.array(override).parse(await response.json());
    },
    setOverride: async (name, { id, ...value }, namespace) => {
      await done(sendJson('PUT', overridePath(name, id, namespace), value));
    },
    removeOverride: async (name, id, namespace) => {
      await done(call(overridePath(name, id, namespace), { method: 'DELETE' }));
    },
    request: (method, path, body, limitMs) => {
      const headers = { 'content-type': 'application/json' };
      const json = body === undefined ? {} : { body: JSON.stringify(body), headers };
      return done(call(path, { method, ...json }, limitMs));
    },
    putBundle: async (digest, image, archive, bytes) => {
      const headers = { 'content-type': 'application/gzip', 'content-length': String(bytes) };
      const init = { method: 'PUT', body: archive, headers, duplex: 'half' } as unknown as RequestInit;
      await done(call(`/system/bundles/${digest}${query({ image })}`, init, uploadTimeoutMs));
    },
    federation: async () => federationStatus.parse(await (await done(call('/system/federation'))).json()),
    invoke: (path, init) => send(url, path, init),
  };
};

const send = async (url: string, path: string, init: RequestInit): Promise<Response> => {
  try {
    return await fetch(`${url}${path}`, { redirect: 'manual', ...init });
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const code = (reason as NodeJS.ErrnoException).code;
    if (code === 'ECONNREFUSED') {
      const message = `cannot reach ${url}: is a node running? start one with \`skein up\`, or name another with --gateway`;
      throw new SkeinError('unavailable', message, { cause });
    }
    if ((cause as Error).name === 'TimeoutError') {
      throw new SkeinError('timeout', `${url} did not answer in time`, { cause });
    }
    throw new SkeinError('unavailable', `cannot reach ${url}: ${(reason as Error).message}`, { cause });
  }
};

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid',
  403: 'forbidden',
  404: 'not-found',
  409: 'exists',
  413: 'too-large',
  422: 'invalid',
};

/** The answer, when it is a good one; else the gateway's own sentence. */
const done = async (answer: Response | Promise<Response>, ifAbsent?: string): Promise<Response> => {
  const response = await answer;
  if (response.ok) return response;
  const text = (await response.text()).trim().slice(0, 2000);
  // OpenFaaS' own gateways say nothing beside the status where a function is not there.
  const unsaid = response.status === 404 ? ifAbsent : undefined;
  const message = text === '' ? (unsaid ?? `the gateway answered ${response.status}`) : text;
  throw new SkeinError(codes[response.status] ?? 'unavailable', message);
};

const unknown = (name: string): string => `there is no function ${name}: \`skein list\` shows what is deployed`;

const overridePath = (name: string, id: string | undefined, namespace: string | undefined): string => {
  const path = [name, ...(id === undefined ? [] : [id])].map(encodeURIComponent).join('/');
  return `/system/overrides/${path}${query({ namespace })}`;
};

const gatewayUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '');
  throw new UsageError(`${text} is no gateway: write a URL such as ${defaultGateway}`);
};

type Credentials = { readonly file: string; readonly password: string | undefined };

/** A file that was named must be there; the usual one need not, for gateways without a password. */
const readPassword = ({ data, passwordFile }: Globals): Credentials => {
  const file = passwordFile ?? join(data, 'admin-password');
  try {
    return { file, password: readFileSync(file, 'utf8').trim() };
  } catch (error) {
    if (passwordFile === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') {
      return { file, password: undefined };
    }
    throw new UsageError(`cannot read the password: ${(error as Error).message}`);
  }
};

const basicAuth = (password: string): string => `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;

const refused = (url: string, { file, password }: Credentials): SkeinError =>
  new SkeinError(
    'unauthenticated',
    password === undefined
      ? `${url} asks for a password and there is no ${file}: name the node's folder with --data, or the file with --password-file`
      : `${url} does not accept the password in ${file}: is it another node's?`,
  );

/** `?a=b&c=d` of those that are given; empty for none. */
export const query = (parameters: Readonly<Record<string, string | undefined>>): string => {
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
};
