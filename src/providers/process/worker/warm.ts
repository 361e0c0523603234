import { request } from 'node:http';
import { eventListener } from './event-handler.ts';
import { fetchListener } from './fetch-handler.ts';
import { FunctionServer } from './server.ts';

/**
 * Goes once through everything a call needs (server, client side of a socket, both kinds of handler), so that
 * the code is loaded and partly compiled before a function waits for it.
 */
export const warm = async (socketPath: string): Promise<void> => {
  await call(socketPath);
  const scratch = new FunctionServer();
  const path = `${socketPath}w`;
  await scratch.listen(path);
  scratch.serve(eventListener((event) => event.body));
  await call(path);
  scratch.serve(fetchListener(async (asked) => new Response(await asked.text()), 'fetch'));
  await call(path);
  const { promise, resolve } = Promise.withResolvers<void>();
  scratch.drain(resolve);
  await promise;
};

const call = async (socketPath: string): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request(
    { socketPath, method: 'POST', agent: false, headers: { 'content-type': 'text/plain' } },
    (answer) => answer.resume().on('end', resolve),
  );
  sent.on('error', reject).end('warm');
  await promise;
};
