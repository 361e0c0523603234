import { openapi } from './openapi.ts';
import type { Json, JsonObject } from './openapi.ts';

/** The reference page of the HTTP API, as Markdown. */
export const apiReference = (): string => {
  const document = openapi('');
  const paths = Object.entries(objectOf(document['paths']));
  const schemas = Object.entries(objectOf(objectOf(document['components'])['schemas']));
  return [
    introduction,
    ...paths.flatMap(([path, item]) => Object.entries(objectOf(item)).map((entry) => section(path, ...entry))),
    '## Schemas\n',
    ...schemas.map(([name, schema]) => `### ${name}\n\n${code(schema)}`),
  ].join('\n');
};

const introduction = `# HTTP API

<!-- Made by \`node scripts/generate-docs.ts\` from src/gateway/routes.ts. -->

Every node serves this API, and \`/openapi.json\` as an OpenAPI 3.1 document. Paths below \`/system/\` ask for the user
\`admin\` with the password in \`DIR/admin-password\` (HTTP basic); functions are open to everyone. A refusal is a sentence
in plain text: 400 what was sent makes no sense, 401 no password, 404 it is not there, 405 another method, 409 it is there
already, 413 too large, 503 it may work later, 504 time ran out.
`;

const section = (path: string, method: string, operation: Json): string => {
  const { summary, description, parameters, requestBody, responses } = objectOf(operation);
  const rows = listOf(parameters).map((parameter) => {
    const { name, in: place, required, description = '' } = objectOf(parameter);
    const what = [JSON.stringify(required) === 'true' ? 'Required.' : '', textOf(description)]
      .filter((part) => part !== '')
      .join(' ');
    return `| \`${textOf(name)}\` | ${textOf(place)} | ${what} |`;
  });
  return [
    `## ${method.toUpperCase()} ${path}\n`,
    `${textOf(summary)}.${description === undefined ? '' : ` ${textOf(description)}`}\n`,
    ...(rows.length === 0 ? [] : [`| parameter | in | |\n|---|---|---|\n${rows.join('\n')}\n`]),
    ...(requestBody === undefined ? [] : [`Body: ${bodies(requestBody)}\n`]),
    ...Object.entries(objectOf(responses)).map(([status, response]) => answer(status, response)),
    '',
  ].join('\n');
};

const answer = (status: string, response: Json): string => {
  const { description, content } = objectOf(response);
  return `* ${status}: ${textOf(description)}${content === undefined ? '' : ` ${bodies(response)}`}`;
};

const bodies = (holder: Json): string =>
  Object.entries(objectOf(objectOf(holder)['content']))
    .map(([type, { schema }]) => `\`${type}\`${schemaName(objectOf(schema))}`)
    .join(', ');

/** ` ([FunctionStatus](#functionstatus))`, ` (list of …)`, or the members of what has no name. */
const schemaName = (schema: JsonObject): string => {
  const link = linkOf(schema);
  if (link !== undefined) return ` (${link})`;
  const items = schema['items'] === undefined ? undefined : linkOf(objectOf(schema['items']));
  if (items !== undefined) return ` (list of ${items})`;
  const members = Object.keys(objectOf(objectOf(schema['items'] ?? schema)['properties'] ?? {}));
  const named = members.map((name) => `\`${name}\``).join(', ');
  return members.length === 0 ? '' : ` (${schema['items'] === undefined ? '' : 'list of '}${named})`;
};

const linkOf = ({ $ref }: JsonObject): string | undefined => {
  const name = typeof $ref === 'string' ? $ref.split('/').at(-1) : undefined;
  return name && `[${name}](#${name.toLowerCase()})`;
};

const code = (schema: Json): string => `\`\`\`json\n${JSON.stringify(schema, null, 2)}\n\`\`\`\n`;

const objectOf = (value: Json | undefined): Record<string, JsonObject> => (value ?? {}) as Record<string, JsonObject>;
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : []);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
