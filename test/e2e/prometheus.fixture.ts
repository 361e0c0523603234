import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './processes.ts';
import { GiveUp, until } from './until.ts';

/** Debian's `prometheus`. A machine that runs the checks must have it; on others its tests are left out. */
export const prometheusMissing =
  process.env['CI'] === undefined && spawnSync('prometheus', ['--version']).error !== undefined;

export type Point = { readonly metric: Readonly<Record<string, string>>; readonly value: number };

type Answer = {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly { readonly metric: Point['metric']; readonly value: [number, string] }[];
  };
};

/** A real Prometheus on loopback, with a folder of its own, that reads `targets` (`host:port`) many times a second. */
export class Prometheus {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;
  #log = '';

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#process = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#log = `${this.#log}${text}`.slice(-4_000)));
  }

  static async start(targets: readonly string[]): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'skein-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    const scrape = { job_name: 'skein', static_configs: [{ targets }] };
    const global = { scrape_interval: '500ms', scrape_timeout: '500ms' };
    // JSON is YAML too.
    writeFileSync(file, JSON.stringify({ global, scrape_configs: [scrape] }));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${address}`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const prometheus = new Prometheus(`http://${address}`, folder, child);
    await until('prometheus is ready', async () => {
      if (child.exitCode !== null) throw new GiveUp(`prometheus ended: ${prometheus.#log}`);
      return (await fetch(`${prometheus.url}/-/ready`)).ok;
    });
    return prometheus;
  }

  /** Throws what Prometheus says of an expression that it does not understand. */
  async query(expression: string): Promise<readonly Point[]> {
    const answer = await fetch(`${this.url}/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`);
    const { status, error, data } = (await answer.json()) as Answer;
    if (status !== 'success') throw new Error(`${expression}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'exit');
    if (this.#process.exitCode === null && this.#process.kill('SIGKILL')) await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
