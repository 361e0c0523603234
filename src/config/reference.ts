import { configKeys, type ConfigKey } from './keys.ts';

/** The reference page of all settings, as Markdown. */
export const configReference = (): string => `${introduction}\n${groupNames().map(section).join('\n')}`;

const introduction = `# Configuration

<!-- Made by \`node scripts/generate-docs.ts\` from src/config/schema.ts. -->

A node reads, each layer over the one before: built-in defaults, \`skein.yaml\` in the working folder (or the file that
\`--config\` or \`SKEIN_CONFIG\` names), the environment, and the flags of \`skein node\`. Every setting can be given in each
of the three ways. A node starts with a configuration that is understood whole, or not at all: misspelt keys and values out
of range are named, and the exit code is 2.

\`skein config print\` shows what is in force and where each value comes from.

\`\`\`yaml
node:
  name: north-1
  labels: { zone: north }
gateway:
  listen: 0.0.0.0:8080
peer:
  listen: 0.0.0.0:10080
federation:
  bootstrap: [10.0.0.2:11080]
  keyFile: /etc/skein/federation.key
\`\`\`

In the environment and in flags a list is written \`a,b\` and a map \`k=v,k2=v2\`. An empty variable counts as unset.
Relative paths count from the folder of the file that holds them, elsewhere from the working folder. No setting holds a
secret: keys and passwords are in files of their own.
`;

const groupNames = (): string[] => [...new Set(configKeys.map(({ key }) => key.split('.')[0]!))];

const section = (group: string): string => {
  const keys = configKeys.filter(({ key }) => key === group || key.startsWith(`${group}.`));
  return `## ${group}\n\n${keys.map(entry).join('\n')}`;
};

const entry = (key: ConfigKey): string => `### \`${key.key}\`

${key.about}

* Type: ${key.type}
* Default: ${fallbackText(key)}
* Environment: \`${key.env}\`
* Flag: \`${key.flag}\`
`;

/** The default as the reference page and the help say it. */
export const fallbackText = ({ fallback, fallbackText }: ConfigKey): string => {
  if (fallbackText !== undefined) return fallbackText;
  if (fallback === undefined) return 'none';
  return typeof fallback === 'object' ? 'empty' : `\`${String(fallback)}\``;
};
