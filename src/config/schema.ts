import { z } from 'zod';
import { SkeinError } from '../domain/errors.ts';
import { functionName } from '../domain/function.ts';
import { isNetwork } from '../std/networks.ts';
import { strategyNamed, strategyNames } from '../strategies/registry.ts';
import { logLevels } from '../telemetry/log.ts';
import { parseBootstrapAddress } from './bootstrap-address.ts';
import { parseListen } from './listen.ts';

/** What a default may depend on. */
export type Machine = { readonly cores: number; readonly hostname: string };

/** A value as `skein.yaml` would hold it. */
export type RawValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>;

/** What is said of a setting beside its type. */
export type About = {
  /** One or two sentences: meaning, unit, range. */
  readonly about: string;
  readonly fallback?: RawValue | ((machine: Machine) => RawValue);
  /** The default in words, where it is not the same on every machine. */
  readonly fallbackText?: string;
  /** A path: a relative one counts from the folder of the file that names it, elsewhere from the working folder. */
  readonly path?: true;
};

export const abouts = z.registry<About>();

const setting = <Schema extends z.ZodType>(schema: Schema, about: About): Schema => {
  // The registry goes by object, and several settings share a type.
  const own = schema.clone();
  abouts.add(own, about);
  return own;
};

const address = z.string().transform((text, context) => {
  const parsed = parseListen(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'must be host:port, [ipv6]:port or :port' });
  return z.NEVER;
});

const peerAddress = z.string().transform((text, context) => {
  const parsed = parseBootstrapAddress(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'must be host:port or a multiaddr such as /ip4/10.0.0.1/tcp/11080' });
  return z.NEVER;
});

const strategy = z.string().transform((name, context) => {
  try {
    return strategyNamed(name).name;
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    context.addIssue({ code: 'custom', message: `must be one of ${strategyNames.join(', ')}` });
    return z.NEVER;
  }
});

const traceEndpoint = z.string().superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    context.addIssue({ code: 'custom', message: 'must be an address that begins with http:// or https://' });
  } else if (url.username !== '' || url.password !== '') {
    context.addIssue({ code: 'custom', message: 'must hold no password: put it into the file tracing.headersFile' });
  }
});

const network = z
  .string()
  .refine(isNetwork, { message: 'must be an address or a network such as 10.0.0.0/8 or fd00::/8' });

const text = z.string().min(1).max(256);
const folder = z.string().min(1).max(4096);
const natsServer = text.refine((server) => !server.includes('@'), {
  message: 'must be host:port: user and password go into queue.user and queue.passwordFile',
});
const ms = z.int().min(0).max(86_400_000);
const someMs = ms.min(1);
const count = z.int().min(0).max(1_000_000);
const bytes = z.int().min(0);

/**
 * Everything an operator may set. The one place that gives types, checks, flags, `SKEIN_*` names, `skein config print`
 * and the reference page.
 */
export const configSchema = z.strictObject({
  data: setting(folder, {
    about: 'Folder for the identity, the catalogue, bundles, logs and the admin password.',
    fallback: '.skein',
    path: true,
  }),
  node: z.strictObject({
    name: setting(functionName, {
      about: 'What people call this node: a DNS label, different from the names of its peers.',
      fallback: ({ hostname }) => nameFrom(hostname),
      fallbackText: "the machine's host name",
    }),
    location: setting(text.optional(), { about: 'Where it is, for people and for placement: a site, a region.' }),
    labels: setting(z.record(text, z.string().max(256)), {
      about: 'Labels that constraints of deployments may ask for: `label.zone==north`.',
      fallback: {},
    }),
    roles: setting(z.array(text).max(16), {
      about: 'Roles that constraints of deployments may ask for: `skein.role==edge`.',
      fallback: [],
    }),
  }),
  gateway: z.strictObject({
    listen: setting(address, {
      about: 'Where users and `faas-cli` reach this node: functions and the OpenFaaS API.',
      fallback: '127.0.0.1:8080',
    }),
    trustedProxies: setting(z.array(network).max(256), {
      about:
        'Addresses and networks (10.0.0.0/8) of proxies before this node. Their `X-Forwarded-For`, `-Host` and `-Proto` are believed; those of others are replaced.',
      fallback: [],
    }),
  }),
  peer: z.strictObject({
    listen: setting(address, {
      about: 'Where peers send calls that they pass on (mutual TLS).',
      fallback: '127.0.0.1:10080',
    }),
    advertise: setting(address.optional(), {
      about:
        'Where peers reach `peer.listen`, when that is another address: behind NAT, or when it listens on all interfaces.',
    }),
  }),
  metrics: z.strictObject({
    listen: setting(address, { about: 'Where Prometheus reads `/metrics`.', fallback: '127.0.0.1:8082' }),
  }),
  federation: z.strictObject({
    listen: setting(address.optional(), {
      about: 'Where members meet: membership, the catalogue, strategies (libp2p).',
      fallbackText: 'the host of `peer.listen`, its port + 1000',
    }),
    bootstrap: setting(z.array(peerAddress).max(256), {
      about:
        'Members to join first, as host:port of their `federation.listen` or as multiaddrs. Any one that answers is enough.',
      fallback: [],
    }),
    keyFile: setting(folder.optional(), {
      about: 'File with the key that all members of the federation hold.',
      fallbackText: 'made in the data folder when the node first starts',
      path: true,
    }),
  }),
  strategy: z.strictObject({
    name: setting(strategy, {
      about: `How load is shared: ${strategyNames.join(', ')}. DFaaS's own names (\`recalcstrategy\`) are understood.`,
      fallback: 'least-loaded',
    }),
    periodMs: setting(someMs, {
      about: 'Milliseconds between recalculations, for strategies that recalculate.',
      fallback: 60_000,
    }),
  }),
  capacity: z
    .strictObject({
      slots: setting(z.union([count.min(1), z.literal('auto')], { error: 'must be a whole number, or auto' }), {
        about:
          'How many invocations this node runs at once; `auto`: as many as do not slow each other down, measured all the time between `capacity.min` and `capacity.max`.',
        fallback: ({ cores }) => 4 * cores,
        fallbackText: '4 × the processor cores',
      }),
      min: setting(count.min(1), { about: 'The least slots that `auto` comes to.', fallback: 1 }),
      max: setting(count.min(1), {
        about: 'The most slots that `auto` comes to.',
        fallback: ({ cores }) => 64 * cores,
        fallbackText: '64 × the processor cores',
      }),
    })
    .refine(({ min, max }) => min <= max, { path: ['min'], message: 'must not be more than capacity.max' }),
  provider: z.strictObject({
    kind: setting(z.enum(['process']), {
      about: 'How functions run: `process`, as processes of this machine.',
      fallback: 'process',
    }),
    poolSize: setting(count.max(1000), {
      about: 'Started processes kept ready to become a function when it is first called.',
      fallback: 2,
    }),
    maxReplicas: setting(count, {
      about:
        'The most replicas of one function at this node; 0 = as many as it has slots, and 4 × the cores where those are measured.',
      fallback: 0,
    }),
    idleMs: setting(ms, {
      about: 'Milliseconds without a call after which the last replica of a function is stopped; 0 = never.',
      fallback: 300_000,
    }),
  }),
  dataPlane: z.strictObject({
    kind: setting(z.enum(['embedded', 'haproxy']), {
      about: "What carries requests: `embedded`, Skein's own proxy, or `haproxy`, HAProxy 2.6 or newer.",
      fallback: 'embedded',
    }),
    embeddedThreads: setting(count.min(1).max(16), {
      about:
        'Threads that carry calls for `dataPlane.kind: embedded`; bounds on calls hold for all of them together. More than one pays where cores are idle while one is full.',
      fallback: 1,
    }),
    haproxyProgram: setting(text, {
      about: 'The program for `dataPlane.kind: haproxy`: a name that is looked for, or a path.',
      fallback: 'haproxy',
    }),
    haproxyThreads: setting(count.min(1).max(64), {
      about:
        "HAProxy's threads. With one, bounds on calls hold exactly; each more may pass them by one call for a moment.",
      fallback: 1,
    }),
  }),
  queue: z.strictObject({
    ms: setting(ms, {
      about: 'Milliseconds a call may wait for room before it is refused; 0 = it does not wait.',
      fallback: 1000,
    }),
    kind: setting(z.enum(['embedded', 'nats']), {
      about: 'Where asynchronous calls wait. `embedded`: on the disk of this node. `nats`: in NATS JetStream.',
      fallback: 'embedded',
    }),
    servers: setting(z.array(natsServer).max(16), {
      about: 'NATS servers as host:port, for `queue.kind: nats`.',
      fallback: ['127.0.0.1:4222'],
    }),
    tls: setting(z.enum(['auto', 'require']), {
      about:
        'Whether a NATS server without TLS is refused. `auto`: when a file for TLS is named below; a server that asks for TLS gets it in any case.',
      fallback: 'auto',
    }),
    caFile: setting(folder.optional(), {
      about: 'The authority that the certificates of NATS servers come from (PEM).',
      fallbackText: "the machine's own authorities",
      path: true,
    }),
    certFile: setting(folder.optional(), { about: 'Certificate to show to NATS servers (PEM).', path: true }),
    keyFile: setting(folder.optional(), { about: 'Its key (PEM); only this user may read it (mode 600).', path: true }),
    user: setting(text.optional(), { about: 'User at the NATS servers.' }),
    passwordFile: setting(folder.optional(), {
      about: 'File with the password of `queue.user`; mode 600.',
      path: true,
    }),
    tokenFile: setting(folder.optional(), { about: 'File with a token for the NATS servers; mode 600.', path: true }),
    credentialsFile: setting(folder.optional(), {
      about: 'A `.creds` file of NATS (JWT and key); mode 600.',
      path: true,
    }),
  }),
  callbacks: z.strictObject({
    private: setting(z.enum(['allow', 'refuse']), {
      about: 'Whether answers of asynchronous calls may be posted to loopback, private and link-local addresses.',
      fallback: 'allow',
    }),
    except: setting(z.array(text).max(256), {
      about: 'Networks that are allowed all the same, such as 10.1.0.0/16.',
      fallback: [],
    }),
  }),
  timeouts: z.strictObject({
    functionMs: setting(someMs, { about: 'Milliseconds for one invocation, end to end.', fallback: 60_000 }),
    peerAckMs: setting(someMs, {
      about: 'Milliseconds a peer has to take on a call before another is asked.',
      fallback: 1000,
    }),
    upgradeIdleMs: setting(someMs, {
      about: 'Milliseconds a WebSocket, or another connection that was upgraded, may be silent before it is closed.',
      fallback: 300_000,
    }),
  }),
  limits: z.strictObject({
    bodyBytes: setting(bytes, { about: 'The longest request body in bytes; 0 = no limit.', fallback: 0 }),
    headerBytes: setting(bytes.min(1024).max(1_048_576), {
      about: 'The longest request header in bytes, all lines together.',
      fallback: 16_384,
    }),
  }),
  tracing: z.strictObject({
    endpoint: setting(traceEndpoint.optional(), {
      about:
        'Where spans of calls are sent: the whole address of an OTLP/HTTP receiver, such as http://127.0.0.1:4318/v1/traces.',
      fallbackText: 'no spans are made; `traceparent` passes through',
    }),
    sampleRatio: setting(z.number().min(0).max(1), {
      about:
        'The part of the traces that begin at this node and are kept, from 0 to 1. A call that comes with a `traceparent` is kept as that says.',
      fallback: 1,
    }),
    headersFile: setting(folder.optional(), {
      about:
        'File with headers that the receiver asks for, `Name: value` on each line; only this user may read it (mode 600).',
      path: true,
    }),
  }),
  log: z.strictObject({
    level: setting(z.enum(logLevels), { about: 'The least important lines that are written.', fallback: 'info' }),
    format: setting(z.enum(['json', 'pretty']), {
      about: 'How lines are written: `json`, one object a line for machines, or `pretty`, for people.',
      fallback: 'json',
    }),
    access: setting(z.enum(['off', 'on']), {
      about: 'Whether each call to a function is written down, as JSON lines in `access.log` of the node.',
      fallback: 'off',
    }),
  }),
});

type Parsed = z.output<typeof configSchema>;

/** A whole, checked configuration. Addresses are parsed, paths absolute. */
export type Config = Omit<Parsed, 'federation'> & {
  readonly federation: Parsed['federation'] & { readonly listen: NonNullable<Parsed['federation']['listen']> };
};

/** The first label of a host name, as a DNS label. */
const nameFrom = (hostname: string): string => {
  const label = hostname
    .split('.')[0]!
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
  return label.slice(0, 63).replaceAll(/^-+|-+$/g, '') || 'node';
};
