import { codeOf, httpStatus, messageOf } from '../domain/errors.ts';

/** Text with a newline, as every OpenFaaS error is. */
export const text = (status: number, sentence: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(`${sentence}\n`, {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers },
  });

/** Sentences may quote what was sent; the answer need not be as long. */
const maxSentence = 2_000;

/** A fault as an answer: its code is the status, its sentence the body. */
export const problem = (error: unknown): Response =>
  text(httpStatus(codeOf(error)), messageOf(error).slice(0, maxSentence));

export const json = (value: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(value, { headers: { 'x-content-type-options': 'nosniff', ...headers } });

export const empty = (status: number, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(null, { status, headers });

/** Names the nodes that did not answer, so that a sum is never taken for more than it is, nor a wish for fulfilled. */
export const missingNodes = (unreachable: Iterable<string>): Record<string, string> => {
  const names = [...new Set(unreachable)].map((name) => name.replaceAll(/[^-\w.]/g, '_'));
  return names.length === 0 ? {} : { 'x-skein-unreachable': names.join(', ') };
};
