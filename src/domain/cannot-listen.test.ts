import { expect, it } from 'vitest';
import { cannotListen } from './cannot-listen.ts';

const wanted = { port: 8080, purpose: 'the gateway', setting: '--port' };

it.each([
  ['listen EADDRINUSE: address already in use 127.0.0.1:8080', /port 8080 \(the gateway\) is in use/],
  [
    'listen EACCES: permission denied',
    /cannot listen on ::1:8080 .*permission denied; choose another address with --port/,
  ],
  ['listen ENOTSUP: operation not supported on socket ::1:8080', /set dataPlane.embeddedThreads to 1/],
])('%s is told with what to do', (message, sentence) => {
  expect(cannotListen('::1', wanted, new Error(message)).message).toMatch(sentence);
});
