import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pickFunctions } from './pick-functions.ts';
import { readStackFile } from './stack-file.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skein-stack-'));
  await mkdir(path.join(folder, 'conf'));
});

afterAll(async () => rm(folder, { recursive: true, force: true }));

const read = async (text: string, environment: Readonly<Record<string, string>> = {}) => {
  const file = path.join(folder, 'stack.yml');
  await writeFile(file, text);
  return readStackFile(file, environment);
};

const functionsOf = async (text: string, environment: Readonly<Record<string, string>> = {}) =>
  (await read(text, environment)).functions;

const fails = async (text: string, message: RegExp): Promise<void> => {
  await expect(read(text)).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(message) });
};

it('reads everything OpenFaaS lets a function say', async () => {
  await writeFile(path.join(folder, 'conf/env.yml'), 'environment:\n  FROM_FILE: "1"\n  BOTH: file\n');
  const stack = await read(
    `
version: 1.0
provider:
  name: openfaas
  gateway: http://127.0.0.1:8080
functions:
  greet:
    lang: node20
    handler: ./greet
    image: \${REGISTRY:-registry.example}/greet:\${TAG:-1.10}
    namespace: staging
    fprocess: node index.js
    environment:
      BOTH: stack
      VERSION: 1.10
      DEBUG: yes
      TOKEN: $\${LITERAL} costs $5
    environment_file: [conf/env.yml]
    secrets: [api-key]
    labels:
      com.openfaas.scale.min: 2
    annotations: {topic: a.b}
    limits: {memory: 128Mi, cpu: 100m}
    requests: {memory: 64Mi}
    constraints:
      - skein.node==node-2
    readonly_root_filesystem: true
    build_args: {X: y}
  ready-made:
    skip_build: true
    handler: ./ready-made
    labels:
configuration:
  templates:
    - name: node20
`,
    { TAG: '', REGISTRY: 'my.registry:5000' },
  );
  expect(stack.functions).toEqual([
    {
      folder: path.join(folder, 'greet'),
      deployment: {
        service: 'greet',
        image: 'my.registry:5000/greet:1.10',
        namespace: 'staging',
        envProcess: 'node index.js',
        envVars: { FROM_FILE: '1', BOTH: 'file', VERSION: '1.10', DEBUG: 'yes', TOKEN: '${LITERAL} costs $5' },
        secrets: ['api-key'],
        labels: { 'com.openfaas.scale.min': '2' },
        annotations: { topic: 'a.b' },
        limits: { memory: '128Mi', cpu: '100m' },
        requests: { memory: '64Mi' },
        constraints: ['skein.node==node-2'],
        readOnlyRootFilesystem: true,
      },
    },
    { deployment: { service: 'ready-made', image: 'ready-made:latest' } },
  ]);
  expect(stack.gateway).toBe('http://127.0.0.1:8080');
  expect(stack.ignored).toEqual(['configuration.templates', 'functions.greet.build_args']);
});

it('shares what anchors and merge keys share', async () => {
  const [one] = await functionsOf(`
functions:
  one: &base
    image: one
    labels: {a: "1"}
  two:
    <<: *base
    image: two
`);
  expect(one?.deployment.labels).toEqual({ a: '1' });
});

it('never lets a variable become more than one value', async () => {
  const [one] = await functionsOf('functions:\n  one:\n    image: ${IMAGE}\n', { IMAGE: 'x\n    namespace: other' });
  expect(one?.deployment.image).toBe('x\n    namespace: other');
  expect(one?.deployment.namespace).toBeUndefined();
});

it('names each variable that is not set and has no default, and its line', async () => {
  await fails(
    '# ${TAG}\nfunctions:\n  one:\n    image: one:${TAG}\n    environment: {A: "${PLACE}", B: "${C:-}"}\n',
    /stack\.yml:4: TAG is not set: export it.*\$\{TAG:-default\}\n.*stack\.yml:5: PLACE is not set/,
  );
  const [one] = await functionsOf('functions: {one: {image: "one${SUFFIX}"}}\n', { SUFFIX: '' });
  expect(one?.deployment.image).toBe('one');
});

it('names a misspelt key and what was probably meant', async () => {
  await fails(
    'functions:\n  a:\n    lables: {}\n    image: a\n',
    /functions\.a has keys that mean nothing: lables \(labels\?\)/,
  );
  await fails('function: {}\nfunctions: {}\n', /function \(functions\?\)/);
});

it.each([
  ['functions: [', /^[^\n]*is not YAML: [^\n]* at line 1, column 13[^\n]*\.$/],
  ['', /makes no sense: all of it must be a map\.$/],
  ['functions:', /makes no sense: functions must be a map of names to values\.$/],
  ['functions: {a: {environment: [x]}}', /functions\.a\.environment must be a map of names to values/],
  ['functions: {A_B: {image: x}}', /function A_B .*service must be a DNS label/],
  ['functions: {a: {readonly_root_filesystem: perhaps}}', /readonly_root_filesystem/],
  ['functions: {a: {environment_file: [none.yml]}}', /none\.yml cannot be read/],
  ['functions: {a: {image: "${X:?required}"}}', /\$\{X:\?required\} cannot be filled in/],
  ['functions: {a: {image: "${X"}}', /\$\{X cannot be filled in/],
])('says what is wrong in %j', async (text, message) => fails(text, message));

it('names what it says in vain, and nothing else', async () => {
  const { ignored, gateway } = await read(`
provider: {name: openfaas, network: functions}
configuration: {templates: [{name: node20}], copy: [./common]}
functions:
  a: {lang: node20, image: a, build_options: [dev], registry_auth: x}
  b: {image: b}
`);
  expect(ignored).toEqual([
    'provider.network',
    'configuration.templates',
    'configuration.copy',
    'functions.a.build_options',
    'functions.a.registry_auth',
  ]);
  expect(gateway).toBeUndefined();
  await fails('configuration: {template: []}\nfunctions: {a: {image: a}}\n', /template \(templates\?\)/);
});

it('picks functions by wildcard or regular expression, and says which there are when none matches', async () => {
  const functions = await functionsOf('functions: {api-users: {image: a}, api-orders: {image: a}, web: {image: a}}\n');
  const names = (pick: { readonly filter?: string; readonly regex?: string }): readonly string[] =>
    pickFunctions(functions, pick).map(({ deployment }) => deployment.service);
  expect(names({})).toEqual(['api-users', 'api-orders', 'web']);
  expect(names({ filter: 'api-*' })).toEqual(['api-users', 'api-orders']);
  expect(names({ filter: 'web' })).toEqual(['web']);
  expect(names({ regex: 's$' })).toEqual(['api-users', 'api-orders']);
  expect(() => names({ filter: 'api' })).toThrow('No function matches api: there are api-users, api-orders, web.');
  expect(() => names({ regex: '(' })).toThrow(/is no regular expression/);
});

it('says when there is no such file', async () => {
  await expect(readStackFile(path.join(folder, 'none/stack.yml'), {})).rejects.toMatchObject({ code: 'invalid' });
});
