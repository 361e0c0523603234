import { afterEach, describe, expect, it } from 'vitest';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Http1Incoming } from './incoming.ts';
import type { Http1Outgoing } from './outgoing.ts';
import type { Http1Handler, Http1Limits } from './server.ts';
import { Served, undated } from './served.testing.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const serve = async (handler: Http1Handler, changes: Partial<Http1Limits> = {}): Promise<Served> => {
  const served = await Served.start(handler, changes);
  ends.push(() => served.server.close());
  return served;
};

const wire = (served: Served) => {
  const made = served.connect();
  ends.push(() => made.socket.destroy());
  return made;
};

/** Answers with the method, the target and the body. */
const echo: Http1Handler = (request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (chunk) => parts.push(chunk));
  const answer = (): void =>
    void response.end(Buffer.from(`<${request.method} ${request.url} ${Buffer.concat(parts).toString('latin1')}>`));
  if (request.complete) answer();
  else request.once('end', answer);
};

/** Requests that wait until a test answers them. */
const waiting = () => {
  const calls: { readonly request: Http1Incoming; readonly response: Http1Outgoing }[] = [];
  let changed = (): void => undefined;
  const handler: Http1Handler = (request, response) => {
    calls.push({ request, response });
    changed();
  };
  const nth = async (index: number) => {
    while (calls[index] === undefined) await new Promise<void>((resolve) => (changed = resolve));
    return calls[index];
  };
  return { handler, calls, nth };
};

const closed = (one: { once(event: 'close', listener: () => void): void }): Promise<void> =>
  new Promise((resolve) => one.once('close', resolve));

const get = (target: string, headers = ''): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const post = (body: string, headers = ''): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;

describe('a server', () => {
  it('answers on a connection that it keeps', async () => {
    const one = wire(await serve(echo));
    expect(undated(await one.send(get('/a')).until(/>$/))).toBe(
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: keep-alive\r\nKeep-Alive: timeout=20\r\n\r\n<GET /a >',
    );
    expect(one.got).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    await one.send(post('body')).until(/<POST \/ body>$/);
  });

  it('answers requests that come at once one after the other, in order', async () => {
    const { handler, calls, nth } = waiting();
    const one = wire(await serve(handler));
    one.send(get('/1') + post('two') + get('/3'));
    for (let index = 0; index < 3; index += 1) {
      const { request, response } = await nth(index);
      expect(calls.length).toBe(index + 1);
      response.end(Buffer.from(`[${request.url} ${index}]`));
    }
    const text = await one.until(/2\]$/);
    expect(text.match(/\[[^\]]*\]/g)).toEqual(['[/1 0]', '[/ 1]', '[/3 2]']);
  });

  it('reads a request that comes byte by byte', async () => {
    const one = wire(await serve(echo));
    one.socket.setNoDelay(true);
    for (const byte of post('ab', 'X: y\r\n')) {
      one.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await one.until(/<POST \/ ab>$/);
  });

  it('speaks with a client of Node, both ways, long and short, in chunks and not', async () => {
    const served = await serve((request, response) => {
      response.writeHead(201, request.url === '/known' ? ['Content-Length', '1000'] : []);
      request.on('data', (chunk) => {
        if (response.write(chunk)) return;
        request.pause();
        response.once('drain', () => request.resume());
      });
      request.once('end', () => response.end());
      if (request.complete) response.end();
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    ends.push(() => agent.destroy());
    for (const length of [1, 1_000, 70_000, 3_000_000]) {
      for (const headers of [{ 'Content-Length': length }, { 'Transfer-Encoding': 'chunked' }]) {
        const body = randomBytes(length);
        const sent = httpRequest({
          agent,
          port: served.port,
          path: length === 1_000 ? '/known' : '/',
          method: 'POST',
          headers,
        });
        sent.end(body);
        const [answer] = (await once(sent, 'response')) as [IncomingMessage];
        const parts: Buffer[] = [];
        for await (const chunk of answer) parts.push(chunk as Buffer);
        expect(answer.statusCode).toBe(201);
        expect(Buffer.concat(parts).equals(body)).toBe(true);
      }
    }
  });

  it.each([
    ['HEAD', 200, ['Content-Length', '5'], 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n'],
    ['GET', 204, [], 'HTTP/1.1 204 No Content\r\n'],
    ['GET', 304, ['ETag', 'x'], 'HTTP/1.1 304 Not Modified\r\nETag: x\r\n'],
    ['GET', 599, ['Date', 'today'], 'HTTP/1.1 599 \r\nDate: today\r\nContent-Length: 0\r\n'],
  ])('gives %s with %i no body', async (method, status, headers, head) => {
    const one = wire(
      await serve((_request, response) => {
        response.writeHead(status, headers);
        if (status !== 599) response.flushHeaders();
        if (method === 'HEAD') response.write(Buffer.from('hello'));
        response.end();
      }),
    );
    one.send(`${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(undated(await one.closed())).toBe(`${head}Connection: close\r\n\r\n`);
  });

  it('says no length of an answer that has none by its status, whatever is told of it', async () => {
    for (const write of [
      (response: Http1Outgoing) => response.writeHead(204, ['Content-Length', '0']).end(),
      (response: Http1Outgoing) => response.writeHead(204, []).end(),
      (response: Http1Outgoing) => response.writeHead(204, []).end(Buffer.from('ignored')),
    ]) {
      const one = wire(await serve((_request, response) => void write(response)));
      expect(undated(await one.send(get('/', 'Connection: close\r\n')).closed())).toBe(
        'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n',
      );
    }
  });

  it('chunks an answer of unknown length, and ends it with the connection for HTTP/1.0', async () => {
    const served = await serve((_request, response) => {
      response.writeHead(200, []);
      response.flushHeaders();
      response.write(Buffer.from('hello'));
      response.end(Buffer.from('you'));
    });
    const [newer, older] = [wire(served), wire(served)];
    expect(await newer.send(get('/')).until(/0\r\n\r\n$/)).toMatch(
      /Transfer-Encoding: chunked[^]*\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n$/,
    );
    older.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(undated(await older.closed())).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhelloyou');
  });

  it('keeps a connection of HTTP/1.0 where it is asked to and the length is known', async () => {
    const one = wire(await serve(echo));
    one.send('GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(await one.until(/>$/)).toMatch(/\r\nConnection: keep-alive\r\n/);
    one.send('GET /2 HTTP/1.0\r\n\r\n');
    expect(await one.closed()).toMatch(/<GET \/1 >HTTP[^]*Connection: close[^]*<GET \/2 >$/);
  });

  it('gives leave and interim answers', async () => {
    const { handler, nth } = waiting();
    const one = wire(await serve(handler));
    one.send('POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n');
    const { request, response } = await nth(0);
    expect(request.head.expectsContinue).toBe(true);
    response.writeProcessing();
    await one.until(/^HTTP\/1\.1 102 Processing\r\n\r\n$/);
    response.writeContinue();
    response.writeContinue();
    await one.until(/102 Processing\r\n\r\nHTTP\/1\.1 100 Continue\r\n\r\n$/);
    request.on('data', (chunk) => response.end(chunk));
    one.send('hello');
    expect(await one.until(/hello$/)).toMatch(/Connection: keep-alive/);
  });

  it('closes where a client was answered that waits for leave: nobody knows whether its body comes', async () => {
    const one = wire(await serve((_request, response) => void response.writeHead(413, []).end()));
    one.send('POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n');
    expect(await one.closed()).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close/);
  });

  it('lets a client that is answered early send its rest, and goes on', async () => {
    const one = wire(await serve((request, response) => void response.end(Buffer.from(request.url))));
    one.send(`POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n`);
    await one.until(/\/early$/);
    one.send('x'.repeat(300_000)).send(get('/next'));
    await one.until(/\/next$/);
  });

  it('does not wait for ever for the rest', async () => {
    const served = await serve((_request, response) => void response.end());
    const one = wire(served);
    one.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n');
    await one.until(/\r\n\r\n$/);
    await new Promise((resolve) => setImmediate(resolve));
    served.clock.advance(7_000);
    await one.closed();
  });

  it('ends an answer of which a client takes next to nothing, also one that is not whole yet', async () => {
    for (const isWhole of [false, true]) {
      const { handler, nth } = waiting();
      const served = await serve(handler);
      const one = wire(served).send(get('/'));
      const { response } = await nth(0);
      response.writeHead(200, []);
      one.socket.pause();
      for (let taken = true; taken;) taken = response.write(Buffer.alloc(1_000_000));
      if (isWhole) response.end();
      const gone = closed(response);
      served.clock.advance(11_000);
      await gone;
    }
  });

  it('lets a client live that takes its answer slowly, and one for which there is nothing', async () => {
    const { handler, nth } = waiting();
    const served = await serve(handler);
    const [slow, idle] = [wire(served).send(get('/slow')), await nth(0).then(() => wire(served))];
    const { response } = await nth(0);
    idle.send(get('/idle'));
    const stream = (await nth(1)).response;
    stream.flushHeaders();
    for (let part = 0; part < 8; part += 1) {
      const drained = new Promise<void>((resolve) => response.once('drain', resolve));
      slow.socket.pause();
      for (let taken = true; taken;) taken = response.write(Buffer.alloc(1_000_000));
      served.clock.advance(9_000);
      slow.socket.resume();
      await drained;
    }
    response.end(Buffer.from('slow but whole'));
    stream.end(Buffer.from('at last'));
    await slow.until(/slow but whole/);
    await idle.until(/at last/);
  });

  it('makes a client wait whose body nobody reads', async () => {
    const { handler, nth } = waiting();
    const one = wire(await serve(handler));
    one.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n').send(Buffer.alloc(50_000_000));
    const { request, response } = await nth(0);
    let length = 0;
    request.on('data', (chunk) => {
      length += chunk.length;
      request.pause();
      setImmediate(() => request.resume());
    });
    await new Promise<void>((resolve) => request.once('end', resolve));
    expect(length).toBe(50_000_000);
    response.end();
    await one.until(/\r\n\r\n$/);
  });

  it('tells of a client that left, while it waits and while it is answered', async () => {
    const { handler, nth } = waiting();
    const served = await serve(handler);
    const [first, second] = [wire(served).send(get('/')), wire(served)];
    const one = await nth(0);
    second.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
    const two = await nth(1);
    two.request.on('data', () => undefined);
    const gone = [closed(one.response), closed(one.request), closed(two.response), closed(two.request)];
    first.socket.end();
    second.socket.destroy();
    await Promise.all(gone);
    expect([one.request.complete, two.request.complete]).toEqual([true, false]);
    one.response.writeHead(200, []).end(Buffer.from('into the void'));
  });

  it('breaks off an answer that is shorter than announced, and cuts one that is longer', async () => {
    const served = await serve((request, response) => {
      response.writeHead(200, ['Content-Length', '5']);
      response.write(Buffer.from(request.url === '/short' ? 'abc' : 'abcdefgh'));
      response.end();
    });
    const [short, long] = [wire(served), wire(served)];
    expect(await short.send(get('/short')).closed()).not.toMatch(/abcde/);
    await long.send(get('/long')).until(/\r\n\r\nabcde$/);
    await long.send(get('/long')).until(/abcdeHTTP[^]*abcde$/);
  });

  it('refuses headers that would not stay one on the wire', async () => {
    const seen: unknown[] = [];
    const one = wire(
      await serve((_request, response) => {
        for (const headers of [
          ['a', 'b\r\nc: d'],
          ['a\r\nb', 'c'],
          ['a', '\u010a'],
          ['', 'x'],
          ['Content-Length', '-1'],
        ]) {
          try {
            response.writeHead(200, headers);
          } catch (error) {
            seen.push((error as { code: string }).code);
          }
        }
        response.end();
      }),
    );
    await one.send(get('/')).until(/\r\n\r\n$/);
    expect(seen).toEqual(Array(5).fill('invalid'));
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', 400],
    ['\x16\x03\x01', 400],
    [`GET /${'a'.repeat(5_000)}`, 414],
    [get('/', `a: ${'b'.repeat(5_000)}\r\n`), 431],
    [get('/', 'a: b\r\n'.repeat(50)), 431],
    ['CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ])('answers %j with %i, and reads nothing behind it', async (text, status) => {
    const { handler, calls } = waiting();
    const served = await serve((request, response) => {
      handler(request, response);
      request.on('data', () => undefined);
    });
    const answer = await wire(served)
      .send(text + get('/behind'))
      .closed();
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n\\r\\n[^]+\\.\\n$`));
    expect(calls.filter(({ request }) => request.url === '/behind')).toEqual([]);
  });

  it('answers 408 to a head that takes too long, and closes connections that say nothing', async () => {
    const served = await serve(echo);
    const [slow, silent, used] = [wire(served).send('GET / HT'), wire(served), wire(served).send(get('/'))];
    await used.until(/>$/);
    served.clock.advance(6_000);
    slow.send('TP/1.1\r\nA');
    await wire(served).send(get('/')).until(/>$/);
    served.clock.advance(6_000);
    expect(await slow.closed()).toMatch(/^HTTP\/1\.1 408 /);
    expect(await silent.closed()).toMatch(/^HTTP\/1\.1 408 /);
    await used.send(get('/again')).until(/again >$/);
    served.clock.advance(25_000);
    await used.closed();
  });

  it('drains: each connection ends with its next answer', async () => {
    const { handler, nth } = waiting();
    const served = await serve(handler);
    const [idle, busy] = [wire(served).send(get('/idle')), wire(served)];
    (await nth(0)).response.end();
    await idle.until(/keep-alive[^]*\r\n\r\n$/);
    busy.send(get('/busy'));
    const { response } = await nth(1);
    served.server.drain();
    response.end(Buffer.from('done'));
    expect(await busy.closed()).toMatch(/Connection: close\r\n\r\ndone$/);
    idle.send(get('/last'));
    (await nth(2)).response.end(Buffer.from('last'));
    expect(await idle.closed()).toMatch(/Connection: close\r\n\r\nlast$/);
    await expect(once(wire(served).socket, 'connect')).rejects.toThrow('ECONNREFUSED');
  });

  it('takes no more connections than it may', async () => {
    const served = await serve(echo, { maxConnections: 2 });
    const [one, two] = [wire(served), wire(served)];
    await one.send(get('/')).until(/>$/);
    await two.send(get('/')).until(/>$/);
    expect(await wire(served).send(get('/')).closed()).toBe('');
  });

  it('hands a connection over for another protocol, with what was read of it', async () => {
    const one = wire(
      await serve((request, response) => {
        expect(request.head.upgrade).toBe('echo');
        const socket = response.accept(['Upgrade', 'echo']);
        socket.pipe(socket);
      }),
    );
    one.send(`${get('/', 'Connection: upgrade\r\nUpgrade: echo\r\n')}first`);
    expect(await one.until(/first$/)).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst',
    );
    await one.send('second').until(/firstsecond$/);
  });

  it('tells when a connection that it gave away is gone, not before', async () => {
    let closed = (): void => undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    let open = true;
    const one = wire(
      await serve((_request, response) => {
        response.once('close', () => {
          open = false;
          closed();
        });
        response.accept(['Upgrade', 'echo']).resume();
      }),
    );
    await one.send(get('/', 'Connection: upgrade\r\nUpgrade: echo\r\n')).until(/\r\n\r\n$/);
    expect(open).toBe(true);
    one.socket.destroy();
    await gone;
  });

  it('ends the connection with an answer that is to be the last', async () => {
    const one = wire(
      await serve((_request, response) => {
        response.isLast = true;
        response.end();
      }),
    );
    expect(await one.send(get('/')).closed()).toMatch(/Content-Length: 0\r\n.*Connection: close\r\n\r\n$/s);
  });
});
