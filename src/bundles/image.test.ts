import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { normaliseImage, parseImage } from './image.ts';

const digest = `sha256:${'0a'.repeat(32)}`;

it.each([
  ['figlet', { name: 'figlet', tag: 'latest' }],
  ['figlet:1.2', { name: 'figlet', tag: '1.2' }],
  ['team/figlet', { name: 'team/figlet', tag: 'latest' }],
  ['ghcr.io/openfaas/figlet:latest', { name: 'ghcr.io/openfaas/figlet', tag: 'latest' }],
  ['localhost:5000/figlet', { name: 'localhost:5000/figlet', tag: 'latest' }],
  ['localhost:5000/figlet:v1', { name: 'localhost:5000/figlet', tag: 'v1' }],
  ['my_fn__x-y.z', { name: 'my_fn__x-y.z', tag: 'latest' }],
  [`figlet@${digest}`, { name: 'figlet', tag: 'latest', digest }],
  [`figlet:2@${digest}`, { name: 'figlet', tag: '2', digest }],
])('reads %s', (text, image) => {
  expect(parseImage(text)).toEqual(image);
});

it.each([
  '',
  ':latest',
  'Figlet',
  'a b',
  'a//b',
  '/a',
  'a/',
  'a:',
  'a:b:c',
  'a@sha256:12',
  '../a',
  `a:${'t'.repeat(129)}`,
  'a'.repeat(600),
])('does not take %j for an image', (text) => {
  expect(parseImage(text)).toBeUndefined();
  expect(() => normaliseImage(text)).toThrow(/no image name/);
});

it('gives an image one spelling', () => {
  expect(normaliseImage('figlet')).toBe('figlet:latest');
  expect(normaliseImage('figlet:latest')).toBe('figlet:latest');
  expect(normaliseImage(`figlet:2@${digest}`)).toBe(`figlet@${digest}`);
});

it('never fails on other text, and spells what it spelled the same again', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9./:@_-]{0,40}$/)), (text) => {
      if (parseImage(text) !== undefined) expect(normaliseImage(normaliseImage(text))).toBe(normaliseImage(text));
    }),
  );
});
