import { createHash, timingSafeEqual } from 'node:crypto';
import type { Admin } from './needs.ts';

/** One user with one password. */
export const createAdmin = (user: string, password: string): Admin => {
  const expected = [hash(user), hash(password)] as const;
  return {
    matches: (user, password) => {
      const sameUser = timingSafeEqual(hash(user), expected[0]);
      const samePassword = timingSafeEqual(hash(password), expected[1]);
      return sameUser && samePassword;
    },
  };
};

/** Hashed, so that both sides are of one length whatever was sent. */
const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether an `Authorization` header holds the user and password that `admin` expects. */
export const hasCredentials = (header: string | undefined, admin: Admin): boolean => {
  const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return false;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon >= 0 && admin.matches(pair.slice(0, colon), pair.slice(colon + 1));
};

/** Word for word what OpenFaaS answers: no newline. */
export const unauthenticated = (): Response =>
  new Response('invalid credentials', {
    status: 401,
    headers: {
      'www-authenticate': 'Basic realm="Restricted"',
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    },
  });
