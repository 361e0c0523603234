import { delimiter, dirname } from 'node:path';
import { SkeinError } from '../../domain/errors.ts';
import type { Manifest } from '../../bundles/manifest.ts';
import type { FunctionSpec } from '../provider.ts';
import type { Slot } from './folders.ts';

type Environment = Readonly<Record<string, string>>;

/** What any program needs to run at all; nothing else of the agent's environment reaches a function. */
export const bareEnvironment = (slot: Slot): Environment => ({
  PATH: [dirname(process.execPath), process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'].join(delimiter),
  HOME: slot.tmp,
  TMPDIR: slot.tmp,
});

/** The environment of a function: bare < bundle < deployment, and where its gateway and its secrets are. */
export const functionEnvironment = (
  spec: FunctionSpec,
  manifest: Manifest,
  slot: Slot,
  gatewayUrl: string,
  secretsPath: string,
): Environment => ({
  ...bareEnvironment(slot),
  OPENFAAS_URL: gatewayUrl,
  ...(spec.deployment.secrets?.length ? { SECRETS_PATH: secretsPath } : {}),
  ...manifest.env,
  ...(manifest.mode === 'classic' && manifest.fprocess !== undefined ? { fprocess: manifest.fprocess } : {}),
  ...spec.deployment.envVars,
  ...(!spec.deployment.envProcess ? {} : { fprocess: spec.deployment.envProcess }),
});

/** `max_inflight` of the deployment: 0 or more, 0 = no bound. `invalid` when it is no such number. */
export const maxInFlightOf = (spec: FunctionSpec): number => {
  const text = spec.deployment.envVars?.['max_inflight'];
  if (text === undefined || text === '') return 0;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new SkeinError('invalid', `max_inflight is "${text}": give a whole number, 0 for no bound`);
};

/** `invalid` when the system would refuse the environment. */
export const checkEnvironment = (env: Environment): void => {
  for (const [name, value] of Object.entries(env)) {
    if (name === '' || name.includes('=') || `${name}${value}`.includes('\0')) {
      throw new SkeinError(
        'invalid',
        `environment variable "${name}" has a name or value that no program can be given`,
      );
    }
  }
};
