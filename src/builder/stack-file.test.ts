import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
  expect(stack).toEqual([
    {
      folder: path.join(folder, 'greet'),
      deployment: {
        service: 'greet',
        image: 'my.registry:5000/greet:1.10',
        namespace: 'staging',
        envProcess: 'node index.js',
        envVars: { FROM_FILE: '1', BOTH: 'stack', VERSION: '1.10', DEBUG: 'yes', TOKEN: '${LITERAL} costs $5' },
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
});

it('shares what anchors and merge keys share', async () => {
  const [one] = await read(`
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
  const [one] = await read('functions:\n  one:\n    image: ${IMAGE}\n', { IMAGE: 'x\n    namespace: other' });
  expect(one?.deployment.image).toBe('x\n    namespace: other');
  expect(one?.deployment.namespace).toBeUndefined();
});

it('names a misspelt key and what was probably meant', async () => {
  await fails(
    'functions:\n  a:\n    lables: {}\n    image: a\n',
    /functions\.a has keys that mean nothing: lables \(labels\?\)/,
  );
  await fails('function: {}\nfunctions: {}\n', /function \(functions\?\)/);
});

it.each([
  ['functions: [', /is not YAML/],
  ['', /makes no sense/],
  ['functions: {A_B: {image: x}}', /function A_B .*service: must be a DNS label/],
  ['functions: {a: {readonly_root_filesystem: perhaps}}', /readonly_root_filesystem/],
  ['functions: {a: {environment_file: [none.yml]}}', /none\.yml cannot be read/],
  ['functions: {a: {image: "${X:?required}"}}', /\$\{X:\?required\} cannot be filled in/],
  ['functions: {a: {image: "${X"}}', /\$\{X cannot be filled in/],
])('says what is wrong in %j', async (text, message) => fails(text, message));

it('says when there is no such file', async () => {
  await expect(readStackFile(path.join(folder, 'none/stack.yml'), {})).rejects.toMatchObject({ code: 'invalid' });
});
