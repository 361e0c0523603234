import { setTimeout as pause } from 'node:timers/promises';

/** Where Node listens for debuggers when it is told to by SIGUSR1. */
const port = 9229;
const openMs = 20_000;

type Answer = { readonly id?: number; readonly result?: { readonly result?: { readonly value?: unknown } } };

/**
 * What a Node process holds once its garbage is gone, bytes: a heap that nobody needs may be kept for a long time. Asks
 * it as a debugger, on a port of loopback that is closed again; one process at a time.
 */
export const liveHeapOf = async (pid: number): Promise<number> => {
  process.kill(pid, 'SIGUSR1');
  const socket = await connected();
  try {
    await ask(socket, 1, 'HeapProfiler.enable');
    // What the first frees may hold the last of something else.
    await ask(socket, 2, 'HeapProfiler.collectGarbage');
    await ask(socket, 3, 'HeapProfiler.collectGarbage');
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())';
    const { result } = await ask(socket, 4, 'Runtime.evaluate', { expression, returnByValue: true });
    return Number(result?.result?.value);
  } finally {
    const closing = `setTimeout(() => process.getBuiltinModule('node:inspector').close(), 0)`;
    socket.send(JSON.stringify({ id: 5, method: 'Runtime.evaluate', params: { expression: closing } }));
    await closed();
    socket.close();
  }
};

const targets = async (): Promise<readonly { readonly webSocketDebuggerUrl: string }[]> =>
  (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];

const connected = async (): Promise<WebSocket> => {
  const giveUpAt = performance.now() + openMs;
  for (;;) {
    try {
      const [target] = await targets();
      const socket = new WebSocket(target!.webSocketDebuggerUrl);
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve);
        socket.addEventListener('error', reject);
      });
      return socket;
    } catch (cause) {
      if (performance.now() > giveUpAt) throw new Error(`nothing can be asked at port ${port}`, { cause });
      await pause(50);
    }
  }
};

/** The port is free for the next. */
const closed = async (): Promise<void> => {
  const giveUpAt = performance.now() + openMs;
  while (performance.now() < giveUpAt) {
    try {
      await targets();
    } catch {
      return;
    }
    await pause(50);
  }
};

const ask = (socket: WebSocket, id: number, method: string, params: object = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const listen = ({ data }: MessageEvent): void => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id !== id) return;
      socket.removeEventListener('message', listen);
      resolve(answer);
    };
    socket.addEventListener('message', listen);
    socket.addEventListener('close', () => reject(new Error('the process closed its debugger')));
    socket.send(JSON.stringify({ id, method, params }));
  });
