import { describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import type { Gateways } from './gateway.ts';

export const metricCases = (gateways: () => Gateways): void => {
  const scrape = async (): Promise<string> => (await fetch(gateways().one.metricsUrl)).text();

  describe('§8 metrics', () => {
    it('are on a port of their own, in the text format of Prometheus', async () => {
      const answer = await fetch(gateways().one.metricsUrl);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
      const health = await fetch(gateways().one.metricsUrl.replace('/metrics', '/healthz'));
      expect([health.status, (await health.text()).trim()]).toEqual([200, 'OK']);
    });

    it('count calls by NAME.NAMESPACE and code, under the names of OpenFaaS', async () => {
      const { one } = gateways();
      await one.deploy({ service: 'counted', image: 'probe', constraints: ['skein.node==node-1'] });
      for (const path of ['counted', 'counted.openfaas-fn', 'counted?do=status&status=418']) await one.call(path);
      const labels = 'function_name="counted.openfaas-fn"';
      const wanted = [
        `gateway_function_invocation_started{${labels}} 3`,
        `gateway_function_invocation_total{${labels},code="200"} 2`,
        `gateway_function_invocation_total{${labels},code="418"} 1`,
        `gateway_functions_seconds_count{${labels},code="200"} 2`,
        `gateway_functions_seconds_bucket{le="0.005",${labels},code="418"}`,
        `gateway_service_count{${labels}} 1`,
      ];
      await until('the calls are counted', async () => {
        const text = await scrape();
        const missing = wanted.filter((line) => !text.includes(line));
        if (missing.length > 0) throw new Error(`missing: ${missing.join('; ')}`);
        return true;
      });
      expect(await scrape()).toMatch(/^# TYPE gateway_functions_seconds histogram$/m);
      expect(await scrape()).toMatch(/^# TYPE gateway_function_invocation_total counter$/m);
      expect(await scrape()).toMatch(/^# TYPE gateway_service_count gauge$/m);
      await one.remove('counted');
    });
  });
};
