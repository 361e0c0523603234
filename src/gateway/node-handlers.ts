import type { Handler } from './call.ts';
import type { GatewayNeeds, NodeInfo } from './needs.ts';
import { openapi } from './openapi.ts';
import { renderPage } from './page.ts';
import { empty, json, text } from './responses.ts';

type NodeRoute = 'health' | 'page' | 'ui' | 'info' | 'federation' | 'openapi';

export const nodeHandlers = (needs: GatewayNeeds): Record<NodeRoute, Handler> => ({
  health: async () => (needs.draining() ? text(503, 'draining: this node takes no new calls') : empty(200)),

  page: async () =>
    new Response(await renderPage(needs.federation(), needs.info()), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      },
    }),

  ui: async () => new Response(null, { status: 302, headers: { location: '/' } }),

  info: async () => json(infoBody(needs.info())),

  federation: async () => json(needs.federation()),

  openapi: async () => json(openapi(needs.info().release)),
});

const infoBody = ({ release, sha, provider, arch }: NodeInfo) => ({
  provider: { provider: 'skein', version: { release, sha }, orchestration: provider },
  version: { release, sha },
  arch,
});
