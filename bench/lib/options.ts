import { parseArgs } from 'node:util';

/** What a script may be told; every script understands `--json`, `--docs` and `--help` as well. */
export type Flag = { readonly help: string; readonly fallback: string | boolean };
export type Flags = Readonly<Record<string, Flag>>;

type Values<Given extends Flags> = {
  readonly [Name in keyof Given]: Given[Name]['fallback'] extends boolean ? boolean : string;
};

const common = {
  json: { help: 'print JSON, for programs', fallback: false },
  docs: { help: 'also write the tables into docs/benchmarks.md', fallback: false },
  help: { help: 'show this help', fallback: false },
} as const satisfies Flags;

/** The command line of a script, or its help. `about` is a sentence or two. */
export const readOptions = <const Given extends Flags>(
  name: string,
  about: string,
  given: Given,
): Values<Given & typeof common> => {
  const flags: Flags = { ...given, ...common };
  const options = Object.fromEntries(
    Object.entries(flags).map(([flag, { fallback }]) =>
      typeof fallback === 'boolean'
        ? [flag, { type: 'boolean', default: fallback } as const]
        : [flag, { type: 'string', default: fallback } as const],
    ),
  );
  const values = parsed(name, options);
  if (values['help'] === true) {
    console.log(helpText(name, about, flags));
    process.exit(0);
  }
  return values as Values<Given & typeof common>;
};

/** Numbers, divided by commas. */
export const numbers = (text: string): readonly number[] => text.split(',').map((part) => positive(part.trim()));

/** A number more than 0; ends the script with 2 when it is none. */
export const positive = (text: string): number => {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value > 0) return value;
  console.error(`${JSON.stringify(text)} is no number more than 0`);
  process.exit(2);
};

type ParseOptions = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

const parsed = (name: string, options: ParseOptions): Readonly<Record<string, unknown>> => {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    process.exit(2);
  }
};

const helpText = (name: string, about: string, flags: Flags): string => {
  const rows = Object.entries(flags).map(([flag, { help, fallback }]) =>
    typeof fallback === 'boolean'
      ? ([`--${flag}`, help] as const)
      : ([`--${flag} <value>`, `${help} (default: ${fallback})`] as const),
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return [`Usage: node bench/${name}.ts [options]`, '', about, '', 'Options:', ...lines].join('\n');
};
