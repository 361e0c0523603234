import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { deliverLogs } from '../worker/log-lines.ts';
import { FunctionServer, type Listener } from '../worker/server.ts';
import { answer } from './answer.ts';
import { Children } from './children.ts';
import type { ToWatchdog } from './messages.ts';
import { Pipes } from './pipes.ts';
import { readSettings, splitProcess } from './settings.ts';

/**
 * The watchdog of classic mode: an HTTP/1.1 server on a unix socket that forks a process for every request, with the
 * contract of OpenFaaS' classic watchdog and of the forking modes of `of-watchdog`. docs/watchdog.md says all of it.
 */
deliverLogs();
const told = JSON.parse(readFileSync(0, 'utf8')) as ToWatchdog;
const { env, scratch } = told;
const settings = readSettings(env);
for (const remark of settings.remarks) console.error(remark);

mkdirSync(scratch, { recursive: true, mode: 0o700 });
const children = new Children(told.children);
const needs = {
  settings,
  env,
  scratch,
  program: told.program,
  argv: splitProcess(settings.process),
  folder: told.folder,
  children,
  pipes: new Pipes(join(scratch, 'pipes')),
};
const lockFile = join(env['TMPDIR'] ?? '/tmp', '.lock');
const classicVerbs = new Set(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']);
let accepting = true;
let inFlight = 0;

const listener: Listener = (request, response) => {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/_/health') {
    if (request.method === 'GET') say(response, isHealthy() ? 200 : 503, isHealthy() ? 'OK' : '');
    else say(response, 405, '');
    return;
  }
  if (path === '/_/ready' && settings.mode !== 'classic') {
    if (!accepting) return say(response, 503, '');
    if (settings.maxInFlight > 0 && inFlight >= settings.maxInFlight) return say(response, 429, '');
    if (settings.readyPath === undefined) return say(response, 200, 'OK');
    request.url = settings.readyPath;
  }
  if (settings.maxInFlight > 0 && inFlight >= settings.maxInFlight) {
    response.setHeader('X-OpenFaaS-Internal', 'faas-middleware');
    const sentence = 'Concurrent request limit exceeded. Max concurrent requests: ';
    return say(response, 429, `${sentence}${settings.maxInFlight}\n`);
  }
  if (settings.mode === 'classic' && !classicVerbs.has(request.method ?? '')) return say(response, 405, '');
  inFlight += 1;
  void answer(needs, request, response).finally(() => (inFlight -= 1));
};

const isHealthy = (): boolean => {
  if (!accepting) return false;
  if (settings.suppressLock) return true;
  return statSync(lockFile, { throwIfNoEntry: false }) !== undefined;
};

const say = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text) }).end(text);
};

/** A second signal ends what runs. */
const stop = (): void => {
  if (!accepting) process.exit(0);
  accepting = false;
  rmSync(lockFile, { force: true });
  setTimeout(() => server.drain(() => process.exit(0)), settings.healthcheckIntervalMs);
  if (settings.writeTimeoutMs > 0) {
    setTimeout(() => process.exit(0), settings.healthcheckIntervalMs + settings.writeTimeoutMs);
  }
};

const crash = (error: unknown): void => {
  console.error(error);
  process.exit(1);
};

process.on('exit', () => children.endAll());
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
process.on('SIGTERM', stop);

const server = new FunctionServer();
server.serve(listener);
if (!settings.suppressLock) writeFileSync(lockFile, '', { mode: 0o660 });
await server.listen(told.socket);
