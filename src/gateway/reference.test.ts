import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openapi } from './openapi.ts';
import { apiReference } from './reference.ts';
import { routes } from './routes.ts';
import type { RouteSpec } from './routes.ts';

const document = openapi('1.2.3') as {
  readonly paths: Record<string, Record<string, { readonly operationId: string; readonly security: unknown[] }>>;
  readonly components: { readonly schemas: Record<string, unknown> };
};

it('is in docs/ what the routes say', () => {
  const page = join(import.meta.dirname, '../../docs/reference/api.md');
  expect(readFileSync(page, 'utf8'), 'run `node scripts/generate-docs.ts`').toBe(apiReference());
});

it('has every public route once, and none that peers alone may use', () => {
  for (const [name, route] of Object.entries<RouteSpec>(routes)) {
    const operation = document.paths[route.path]?.[route.method.toLowerCase()];
    if (!route.audiences.includes('public')) expect(operation).toBeUndefined();
    else expect(operation).toMatchObject({ operationId: name, summary: route.summary });
  }
  const ids = Object.values(document.paths).flatMap((item) =>
    Object.values(item).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

it('takes any body for a call that is made later, as for one that is made at once, and names its headers', () => {
  const body = { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } };
  expect(document.paths['/function/{name}']?.['post']).toMatchObject({ requestBody: body });
  for (const path of ['/async-function/{name}', '/async-function/{name}/{path}']) {
    const named = (name: string): unknown => expect.objectContaining({ in: 'header', name, required: false });
    const parameters: unknown = expect.arrayContaining([named('X-Callback-Url'), named('X-Call-Id')]);
    expect(document.paths[path]?.['post']).toMatchObject({ requestBody: body, parameters });
  }
});

it('asks for the password where the gateway does', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const { security } of Object.values(item)) expect(security.length > 0).toBe(path.startsWith('/system/'));
  }
});

it('refers to nothing that is not there', () => {
  const text = JSON.stringify(document);
  const names = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name ?? '');
  expect(names).toContain('FunctionStatus');
  for (const name of names) expect(Object.keys(document.components.schemas)).toContain(name);
  expect(text).not.toContain('$defs');
  expect(text).not.toContain('"$schema"');
});
