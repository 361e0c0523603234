import { describe, expect, it } from 'vitest';
import { SkeinError } from '../../domain/errors.ts';
import { readFeatures } from './features.ts';

/** `haproxy -vv` as Debian's packages of 2.6 and 3.0, and HAProxy's own image of 2.8, say it, without what is not read. */
const said = (head: string, built: string, openssl: string): string => `${head}
Build options :
  TARGET  = linux-glibc
  OPTIONS = USE_OPENSSL=1 USE_LUA=1 USE_SYSTEMD=1 USE_PROMEX=1 USE_PCRE2=1 USE_PCRE2_JIT=1

Feature list : ${built}

Default settings :
  bufsize = 16384, maxrewrite = 1024, maxpollevents = 200

Built with OpenSSL version : OpenSSL ${openssl}
Built with the Prometheus exporter as a service

Available services : prometheus-exporter
`;
const debian12 = said(
  `HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/
Status: long-term supported branch - will stop receiving fixes around Q2 2027.
Known bugs: http://www.haproxy.org/bugs/bugs-2.6.12.html`,
  '-51DEGREES +ACCEPT4 +BACKTRACE +EPOLL +LUA -MEMORY_PROFILING +NS +OPENSSL +OT -PCRE +PCRE2 +PCRE2_JIT +PROMEX -QUIC +THREAD -ZLIB',
  '3.0.22 25 Aug 2026',
);
const image28 = said(
  `HAProxy version 2.8.5-aaba8d0 2023/12/07 - https://haproxy.org/
Status: long-term supported branch - will stop receiving fixes around Q2 2028.`,
  '-51DEGREES +ACCEPT4 +BACKTRACE +EPOLL +LUA +MATH +NS +OPENSSL -OPENSSL_WOLFSSL -OT +PCRE2 +PCRE2_JIT +PROMEX -QUIC +SHM_OPEN +SSL +THREAD -ZLIB',
  '3.0.11 19 Sep 2023',
);
const debian13 = said(
  `HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/
Status: long-term supported branch - will stop receiving fixes around Q2 2029.
Known bugs: http://www.haproxy.org/bugs/bugs-3.0.11.html`,
  '-51DEGREES +ACCEPT4 +BACKTRACE +EPOLL +LINUX_CAP +LUA +MATH +NS +OPENSSL -OPENSSL_AWSLC -OPENSSL_WOLFSSL +OT -PCRE +PCRE2 +PCRE2_JIT +PROMEX -PTHREAD_EMULATION +QUIC +QUIC_OPENSSL_COMPAT +SHM_OPEN +SSL +THREAD -ZLIB',
  '3.5.6 7 Apr 2026',
);

describe('what HAProxy says of itself', () => {
  it.each([
    ['2.6 of Debian 12', debian12, { version: '2.6.12-1+deb12u4', hotMemory: false }],
    ['2.8', image28, { version: '2.8.5-aaba8d0', hotMemory: true }],
    ['3.0 of Debian 13', debian13, { version: '3.0.11-1+deb13u3', hotMemory: true }],
    ['10.0', debian13.replace('3.0.11', '10.0.1'), { version: '10.0.1-1+deb13u3', hotMemory: true }],
  ])('tells what %s can do', (_name, text, features) => {
    expect(readFeatures(text)).toEqual(features);
  });

  it.each([
    ['an older one', debian12.replace('2.6.12', '2.4.3'), 'older than 2.6'],
    [
      'one from when it spelled its name otherwise',
      debian12.replace('HAProxy version 2.6', 'HA-Proxy version 1.8'),
      'older than 2.6',
    ],
    ['one without Lua', debian13.replace('+LUA', '-LUA'), 'without LUA'],
    ['one without TLS', debian13.replace('+OPENSSL ', '-OPENSSL '), 'without OPENSSL'],
    ['one without its exporter', image28.replace('+PROMEX', '-PROMEX'), 'without PROMEX'],
    ['something else', 'nginx/1.27', 'no known version'],
  ])('refuses %s, and says what is missing', (_name, text, words) => {
    expect(() => readFeatures(text)).toThrow(SkeinError);
    expect(() => readFeatures(text)).toThrow(words);
  });
});
