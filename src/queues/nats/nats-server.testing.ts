import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

/** Debian's `nats-server`. A machine that runs the checks must have it; on others its tests are left out. */
export const natsMissing =
  process.env['CI'] === undefined && spawnSync('nats-server', ['--version']).error !== undefined;

/** A real server with JetStream in a folder of its own, on a port that it chose. */
export class NatsServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'skein-nats-'));
  readonly #settings: string;
  #process: ChildProcess | undefined;
  #port = -1;

  /** `settings`: more of the server's configuration, in its own language. */
  constructor(settings = '') {
    this.#settings = settings;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** A second start takes the port of the first. */
  async start(): Promise<void> {
    const file = join(this.folder, 'server.conf');
    writeFileSync(file, this.#settings, { mode: 0o600 });
    const where = ['-c', file, '-a', '127.0.0.1', '-p', String(this.#port), '-sd', this.folder];
    const child = spawn('nats-server', ['-js', ...where], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      lines.push(line);
      if (line.includes('Server is ready')) break;
    }
    if (child.exitCode !== null) throw new Error(`nats-server ended: ${lines.join('\n')}`);
    child.stderr.resume();
    this.#port = Number(/Listening for client connections on [\d.]+:(\d+)/.exec(lines.join('\n'))?.[1]);
  }

  /** What the server does by itself when nobody takes for a day. */
  async forgetConsumers(stream: string): Promise<void> {
    const connection = await connect({ servers: this.address });
    const manager = await jetstreamManager(connection);
    for await (const { name } of manager.consumers.list(stream)) await manager.consumers.delete(stream, name);
    await connection.close();
  }

  /** As kill -9. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
