import { expect, it } from 'vitest';
import { handlerKind } from './handler-kind.ts';

it.each([
  ['module.exports = async (event, context) => 1', 'event'],
  ['module.exports = async event => 1', 'event'],
  ['module.exports = handle; async function handle(event, context) {}', 'event'],
  ['const handle = async (e, c) => 1; exports.handler = handle', 'event'],
  ['export default async function (event: Event, context: unknown) {}', 'event'],
  ['export async function handler(event, context) {}', 'event'],
  ['export const handler = (event) => 1', 'event'],
  ['export default (request: Request) => new Response()', 'auto'],
  ['export default () => 1', 'auto'],
  ['module.exports = async (request) => 1', 'auto'],
  ['module.exports = require("./other")', 'auto'],
  ['export { handler } from "./other"', 'auto'],
  ['export default class {}', 'auto'],
  ['syntax error', 'auto'],
  ['', 'auto'],
])('%s', (source, kind) => {
  expect(handlerKind('handler.ts', source)).toBe(kind);
});
