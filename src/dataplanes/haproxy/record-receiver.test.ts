import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../calls.testing.ts';
import { RecordReceiver } from './record-receiver.ts';
import { recordFields } from './record-rules.ts';

const line = (callId: string): string =>
  recordFields
    .map((name) => (name === 'callId' ? Buffer.from(callId).toString('hex') : name === 'key' ? 'a.openfaas-fn' : '1'))
    .join(' ');
const framed = (text: string): string => `${text.length} ${text}`;

const open = async (): Promise<{ receiver: RecordReceiver; told: string[]; say: () => Promise<Socket> }> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-calls-'));
  const told: string[] = [];
  const receiver = new RecordReceiver(({ callId }) => told.push(callId));
  await receiver.listen(join(folder, 'calls.sock'));
  onTestFinished(async () => {
    receiver.close();
    await rm(folder, { recursive: true, force: true });
  });
  const say = async (): Promise<Socket> => {
    const socket = connect(join(folder, 'calls.sock'));
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { receiver, told, say };
};

describe('the receiver of call records', () => {
  it('reads lines wherever they are cut', async () => {
    const { told, say } = await open();
    const socket = await say();
    socket.setNoDelay(true);
    const text = ['one', 'two', 'three'].map((id) => framed(line(id))).join('');
    for (const part of [text.slice(0, 2), text.slice(2, 90), text.slice(90)]) {
      await new Promise((resolve) => socket.write(part, resolve));
    }
    await eventually(() => told.length === 3, 'three calls are told');
    expect(told).toEqual(['one', 'two', 'three']);
  });

  it('counts what HAProxy could not tell of', async () => {
    const { receiver, told, say } = await open();
    (await say()).write(framed(line('one')) + framed('17 events dropped') + framed(line('two')));
    await eventually(() => told.length === 2, 'two calls are told');
    expect(receiver.lost).toBe(17);
  });

  it.each(['999999999 x', 'no length here', '-1 x'])(
    'ends a connection that says %j, and keeps nothing of it',
    async (text) => {
      const { told, say } = await open();
      const socket = await say();
      socket.resume().write(text);
      await once(socket, 'close');
      expect(told).toEqual([]);
    },
  );
});
