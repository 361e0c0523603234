import { federationStatus, type FederationStatus } from '../gateway/needs.ts';

/** How a node sees the federation; undefined when it does not answer. */
export const readFederation = async (url: string, password: string): Promise<FederationStatus | undefined> => {
  try {
    const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
    const signal = AbortSignal.timeout(2_000);
    const response = await fetch(`${url}/system/federation`, { headers: { authorization }, signal });
    return response.ok ? federationStatus.parse(await response.json()) : undefined;
  } catch {
    return undefined;
  }
};
