import { classicBundle, httpBundle, makeProvider, nodeBundle, type Files } from './provider.testing.ts';
import { providerConformance, type Behaviour, type Lacks } from '../provider.conformance.ts';

const asNode = (behaviour: Behaviour): Files => {
  switch (behaviour.kind) {
    case 'answers':
      return nodeBundle(`export default () => new Response(${JSON.stringify(behaviour.text)})`);
    case 'dawdles':
      return nodeBundle(`export default () => new Response(new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from('first'));
          setTimeout(() => { controller.enqueue(Buffer.from('last')); controller.close(); }, 1000);
        },
      }))`);
    case 'broken':
      return nodeBundle(`throw new Error('the code is broken')`);
    case 'impossible':
      return { 'skein.json': JSON.stringify({ manifest: 1, mode: 'node', entry: 'missing.mjs' }) };
  }
};

const http = (listen: 'unix' | 'tcp', code: string): Files => httpBundle(code, { listen });

/** Such a program knows nothing of draining: it ends at once when it is told to. */
const asHttp =
  (listen: 'unix' | 'tcp') =>
  (behaviour: Behaviour): Files => {
    const serve = (body: string): Files =>
      http(
        listen,
        `import { createServer } from 'node:http';
        createServer((request, response) => { ${body} }).listen(process.env.PORT, ${listen === 'tcp' ? 'process.env.HOST' : 'undefined'})`,
      );
    switch (behaviour.kind) {
      case 'answers':
        return serve(`response.end(${JSON.stringify(behaviour.text)})`);
      case 'dawdles':
        return serve(`response.write('first'); setTimeout(() => response.end('last'), 1000)`);
      case 'broken':
        return http(listen, `console.error('the code is broken'); process.exit(3)`);
      case 'impossible':
        return {
          'skein.json': JSON.stringify({ manifest: 1, mode: 'http', command: ['no-such-program-here'], listen }),
        };
    }
  };

/** A program for each call; `streaming`, because a classic answer begins when it is whole. */
const asClassic = (behaviour: Behaviour): Files => {
  const script = (code: string): Files =>
    classicBundle('./run.sh now', { 'run.sh': `#!/bin/sh\n${code}\n` }, { mode: 'streaming' });
  switch (behaviour.kind) {
    case 'answers':
      return script(`printf %s '${behaviour.text}'`);
    case 'dawdles':
      return script('printf first; sleep 1; printf last');
    case 'impossible':
      return classicBundle('no-such-program-here');
    case 'broken':
      throw new Error('a watchdog is ready whatever its program does');
  }
};

/** A function of each mode that writes a line for each call. */
const speakers: Readonly<Record<string, (text: string) => Files>> = {
  node: (text) => nodeBundle(`export default () => { console.log('${text}'); return new Response(); }`),
  http: (text) =>
    httpBundle(`import { createServer } from 'node:http';
      createServer((_, response) => { console.log('${text}'); response.end(); }).listen(process.env.PORT);`),
  classic: (text) =>
    classicBundle(
      './run.sh',
      { 'run.sh': `#!/bin/sh\necho ${text} >&2\n` },
      { mode: 'streaming', prefix_logs: 'false' },
    ),
};

const modes: readonly (readonly [string, (behaviour: Behaviour) => Files, Lacks?])[] = [
  ['node mode', asNode],
  ['http mode on a socket', asHttp('unix')],
  ['http mode on a port', asHttp('tcp')],
  ['classic mode', asClassic, { broken: 'the watchdog is ready whatever its program does' }],
];

for (const [mode, files, lacks] of modes) {
  providerConformance(
    `ProcessProvider in ${mode}`,
    async () => {
      // Several tests start theirs at once.
      const bench = await makeProvider();
      return {
        provider: bench.provider,
        spec: async (ref, revision, behaviour, env) => bench.spec(ref, revision, files(behaviour), env),
        says: async (ref, revision, text) =>
          bench.spec(ref, revision, (speakers[mode.split(' ')[0] ?? ''] as (text: string) => Files)(text)),
        crash: async ({ id }) => {
          const crashed = bench.provider.replicas().find((replica) => replica.id === id);
          if (crashed !== undefined) process.kill(crashed.pid, 'SIGKILL');
        },
        close: () => bench.close(),
      };
    },
    lacks,
  );
}
