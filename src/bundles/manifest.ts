import { z } from 'zod';

/**
 * `skein.json` at the top of a bundle: what the embedded runtime must know to run it. A bundle is a gzipped tar of
 * plain files and folders, addressed by the sha256 of its bytes.
 */
export const manifestFile = 'skein.json';

const relativePath = z
  .string()
  .min(1)
  .max(1024)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'must be a path inside the bundle');

const common = {
  /** Of this format. */
  manifest: z.literal(1),
  /** Environment the function gets unless the deployment says otherwise. */
  env: z.record(z.string(), z.string()).default({}),
};

export const manifest = z.discriminatedUnion('mode', [
  z.object({
    ...common,
    mode: z.literal('node'),
    /** The ES module (or CommonJS with the ending `.cjs`) that exports the handler. */
    entry: relativePath,
    /**
     * `event`: `(event, context)` of OpenFaaS' Node templates. `fetch`: `(request) => Response`.
     * `auto`: `fetch` when the export takes at most one argument.
     */
    handler: z.enum(['auto', 'event', 'fetch']).default('auto'),
    /** Allow `worker_threads`; such functions start a fresh process instead of taking one from the pool. */
    threads: z.boolean().default(false),
  }),
  z.object({
    ...common,
    mode: z.literal('http'),
    /** The program and its arguments; the first is looked up in the bundle, then on PATH. `node` is the runtime's own. */
    command: z.array(z.string().min(1)).min(1).max(64),
    /**
     * Where it is told to listen. `unix`: a socket, in `SKEIN_SOCKET` (and `PORT`, which Node's `listen` takes as a path).
     * `tcp`: a loopback port, in `PORT` (and `port`), with `HOST=127.0.0.1`.
     */
    listen: z.enum(['unix', 'tcp']).default('unix'),
    /** Ready when GET of this path answers 200..299; without it, when a connection is accepted. */
    ready: z.string().startsWith('/').optional(),
  }),
  z.object({
    ...common,
    mode: z.literal('classic'),
    /**
     * The program and its arguments, split on single spaces, that is run once for each request: OpenFaaS' classic
     * watchdog. The first is looked up in the bundle, then on PATH. A deployment's `envProcess` or `fprocess` is over it.
     */
    fprocess: z.string().min(1).max(4096).optional(),
  }),
]);

export type Manifest = z.infer<typeof manifest>;
