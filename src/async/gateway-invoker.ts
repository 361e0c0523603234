import { Agent } from 'undici';
import type { Answer, Invoke } from './invoke.ts';

export type GatewayInvoker = { readonly invoke: Invoke; close(): Promise<void> };

/** Calls through the gateway at `url` (`http://127.0.0.1:8080`). How long a call may take is for the gateway and the caller's signal to say. */
export const gatewayInvoker = (url: string): GatewayInvoker => {
  const { origin } = new URL(url);
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000 });
  const invoke: Invoke = async ({ function: key, path, callId, headers, body }, keepBytes, signal) => {
    const answer = await agent.request({
      origin,
      // As it came: a URL would resolve `..`, and lead out of the function.
      path: `/function/${key}${path}`,
      method: 'POST',
      headers: [...headers, 'X-Call-Id', callId],
      body,
      signal,
      responseHeaders: 'raw',
    });
    const raw = answer.headers as unknown as readonly string[];
    return { status: answer.statusCode, headers: raw, body: await readUpTo(answer.body, keepBytes) };
  };
  return { invoke, close: () => agent.destroy() };
};

/** Reads to the end in any case: the function is not cut off because nobody keeps what it says. */
const readUpTo = async (body: AsyncIterable<Uint8Array>, keepBytes: number): Promise<Answer['body']> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes <= keepBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes <= keepBytes ? Buffer.concat(chunks) : undefined;
};
