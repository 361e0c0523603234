import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { textTable } from '../../src/std/text-table.ts';

export type Table = {
  readonly title: string;
  readonly header: readonly string[];
  /** The first column is text; the others are aligned right. */
  readonly rows: readonly (readonly string[])[];
};

export type Report = {
  /** Of the script: names the place in docs/benchmarks.md too. */
  readonly name: string;
  /** What was asked of the script, in words: durations, rounds, rates. */
  readonly settings: string;
  readonly tables: readonly Table[];
  /** What a reader should know, below the tables. */
  readonly notes?: readonly string[];
  /** What `--json` prints. */
  readonly data: unknown;
};

type Where = { readonly json: boolean; readonly docs: boolean };

const docsFile = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

/** Taken before the work: afterwards the load is that of the script itself. */
export const machineNow = (): string => {
  const [first] = cpus();
  const gigabytes = (totalmem() / 1024 ** 3).toFixed(0);
  const processor = `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`;
  const load = `load ${loadavg()[0]?.toFixed(1)} before the run`;
  return `${processor}, ${gigabytes} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}, ${load}`;
};

/** Prints the report; with `docs`, also writes it between its marks in docs/benchmarks.md. */
export const publish = (report: Report, machine: string, { json, docs }: Where): void => {
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const commit = revision();
  if (json) {
    console.log(
      JSON.stringify({ bench: report.name, settings: report.settings, machine, date, commit, data: report.data }),
    );
  } else {
    console.log(`${report.name}: ${report.settings}\n${machine}`);
    for (const { title, header, rows } of report.tables) {
      console.log(
        `\n${title}\n${textTable(
          header,
          rows,
          header.map((_, column) => (column === 0 ? 'left' : 'right')),
        )}`,
      );
    }
    if (report.notes !== undefined) console.log(`\n${report.notes.join('\n')}`);
  }
  if (docs) writeDocs(report, `${date} UTC, commit ${commit}; ${report.settings}. ${machine}.`);
};

const writeDocs = ({ name, tables, notes = [] }: Report, origin: string): void => {
  const text = readFileSync(docsFile, 'utf8');
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no place for ${name}: it needs ${begin} … ${end}`);
  const blocks = [...tables.map(markdown), ...notes, `*${origin}*`];
  writeFileSync(docsFile, `${text.slice(0, from)}${begin}\n\n${blocks.join('\n\n')}\n\n${text.slice(to)}`);
};

const markdown = ({ title, header, rows }: Table): string => {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${header.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|`;
  return [`**${title}**`, '', line(header), rule, ...rows.map(line)].join('\n');
};

/** With `+` when the tree is not as committed. */
const revision = (): string => {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const changed = git('status', '--porcelain', '--untracked-files=no', '../src', '../functions').trim() !== '';
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
};
