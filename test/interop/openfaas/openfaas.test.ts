import { afterAll, beforeAll } from 'vitest';
import { asyncCases } from './async.cases.ts';
import { authCases } from './auth.cases.ts';
import { startGateways, type Running } from './federation.fixture.ts';
import { functionCases } from './functions.cases.ts';
import { invokeCases } from './invoke.cases.ts';
import { logCases } from './log.cases.ts';
import { metricCases } from './metric.cases.ts';
import { namespaceCases } from './namespace.cases.ts';
import { nodeCases } from './node.cases.ts';
import { secretCases } from './secret.cases.ts';
import { watchdogCases } from './watchdog.cases.ts';

/**
 * The contract of OpenFaaS (gateway, provider, watchdog), as its clients may rely on it, asked of a federation of two real
 * nodes. The sections are those of the contract; where its implementations differ, `docs/openfaas.md` says what holds here.
 */
let running: Running;

beforeAll(async () => {
  running = await startGateways();
  await running.one.deploy({ service: 'probe', image: 'probe' });
  await running.two.ready('probe');
}, 120_000);

afterAll(async () => running?.end(), 60_000);

const gateways = () => running;

authCases(gateways);
nodeCases(gateways);
functionCases(gateways);
secretCases(gateways);
namespaceCases(gateways);
logCases(gateways);
invokeCases(gateways);
asyncCases(gateways);
metricCases(gateways);
watchdogCases(gateways);
