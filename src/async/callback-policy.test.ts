import { describe, expect, it } from 'vitest';
import { callbackPolicy, checkCallbackUrl } from './callback-policy.ts';

const anywhere = callbackPolicy({ refusePrivate: false, except: [] });
const publicOnly = callbackPolicy({ refusePrivate: true, except: ['10.1.0.0/16', 'fd00:1::/32', '127.0.0.9'] });

describe('callbackPolicy', () => {
  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
  ])('refuses %s when it is to refuse private addresses', (address) => {
    expect(publicOnly.allows(address)).toBe(false);
    expect(anywhere.allows(address)).toBe(true);
  });

  it.each(['1.1.1.1', '172.32.0.1', '2606:4700::1111', '::ffff:1.1.1.1', '10.1.2.3', 'fd00:1::7', '127.0.0.9'])(
    'lets %s pass, which is public or excepted',
    (address) => expect(publicOnly.allows(address)).toBe(true),
  );

  it('lets nothing pass that is no address', () => {
    for (const text of ['', 'localhost', '1.2.3', '10.1.2.3.4']) expect(anywhere.allows(text)).toBe(false);
  });

  it.each(['10.0.0.0/33', '10.0.0/8', 'example.org', '::/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', ''])(
    'refuses %j as a network',
    (network) => {
      expect(() => callbackPolicy({ refusePrivate: true, except: [network] })).toThrow(/is no network/);
    },
  );
});

describe('checkCallbackUrl', () => {
  it.each([
    'nonsense',
    '/relative',
    '//host/path',
    'ftp://host/',
    'javascript:1',
    'http://',
    `http://h/${'x'.repeat(3_000)}`,
  ])('refuses %.40s', (text) =>
    expect(() => checkCallbackUrl(text, anywhere)).toThrow(expect.objectContaining({ code: 'invalid' }) as Error),
  );

  it.each([
    'http://127.0.0.1:8080/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
  ])('refuses %s at once when private addresses are refused', (text) => {
    expect(() => checkCallbackUrl(text, publicOnly)).toThrow(/does not post/);
    expect(checkCallbackUrl(text, anywhere)).toBeInstanceOf(URL);
  });

  it('leaves names for later, when they are resolved', () => {
    expect(checkCallbackUrl('https://localhost/x', publicOnly).hostname).toBe('localhost');
  });
});
