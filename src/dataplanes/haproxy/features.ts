import { SkeinError } from '../../domain/errors.ts';

export type Features = { readonly version: string };

/** Reads `haproxy -vv`; `unsupported` names what this one lacks. */
export const readFeatures = (text: string): Features => {
  const [, version = '', major = '0', minor = '0'] = /version ((\d+)\.(\d+)[^ ]*)/i.exec(text) ?? [];
  const lacks: string[] = [];
  if (Number(major) < 2 || (Number(major) === 2 && Number(minor) < 6)) lacks.push('is older than 2.6');
  for (const feature of ['LUA', 'OPENSSL', 'PROMEX']) {
    if (!new RegExp(`\\+${feature}\\b`).test(text)) lacks.push(`was built without ${feature}`);
  }
  if (lacks.length === 0) return { version };
  throw new SkeinError('unsupported', `this HAProxy (${version || 'of no known version'}) ${lacks.join(' and ')}`);
};
