import { html } from 'hono/html';
import { splitFunctionKey } from '../domain/ids.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { FederationMember, FederationStatus, NodeInfo } from './needs.ts';

/**
 * What a person sees who opens a gateway in a browser: the node, the federation as it sees it, and what to try. It holds
 * nothing that a caller of functions may not know, because everyone may read it. `html` escapes whatever is put in.
 */
export const renderPage = async (status: FederationStatus, info: NodeInfo): Promise<string> => {
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${status.self.name} – Skein</title>
        <style>
          :root {
            color-scheme: light dark;
          }
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            max-width: 60rem;
            margin: 2rem auto;
            padding: 0 1rem;
          }
          table {
            border-collapse: collapse;
            width: 100%;
          }
          th,
          td {
            text-align: left;
            padding: 0.3rem 0.8rem 0.3rem 0;
            border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent);
            vertical-align: top;
          }
          td.number,
          th.number {
            text-align: right;
            font-variant-numeric: tabular-nums;
          }
          pre {
            padding: 0.8rem;
            overflow-x: auto;
            border: 1px solid color-mix(in srgb, currentColor 20%, transparent);
            border-radius: 0.4rem;
          }
          .wide {
            overflow-x: auto;
          }
        </style>
      </head>
      <body>
        <h1>${status.self.name}</h1>
        <p>
          A node of a Skein federation. Version ${info.release}, strategy ${status.strategy}, plan
          ${status.plan.version}.
        </p>
        <h2>Members</h2>
        <div class="wide">
          <table>
            <tr>
              <th>Node</th>
              <th>State</th>
              <th class="number">In flight</th>
              <th class="number">Slots</th>
              <th>Version</th>
              <th class="number">Last heard</th>
            </tr>
            ${status.members.map(memberRow)}
          </table>
        </div>
        <h2>Functions</h2>
        ${functionTable(status.members)}
        <h2>Try</h2>
        <pre>${examples(status)}</pre>
        <p>
          Metrics are on the port that <code>metrics.listen</code> names. The guide is in
          <code>docs/quick-start.md</code>, the control API under <code>/system/</code> (user and password needed).
        </p>
      </body>
    </html> `;
  return String(page);
};

const memberRow = (member: FederationMember) =>
  html`<tr>
    <td>${member.name}</td>
    <td>${member.state}</td>
    <td class="number">${member.inFlight}</td>
    <td class="number">${member.slots}</td>
    <td>${member.version}</td>
    <td class="number">${age(member.ageMs)}</td>
  </tr> `;

const functionTable = (members: readonly FederationMember[]) => {
  const homes = homesByFunction(members);
  if (homes.length === 0) return html`<p>None is deployed yet.</p>`;
  const rows = homes.map(
    ([key, nodes]) =>
      html`<tr>
        <td><a href="/function/${label(key)}">${label(key)}</a></td>
        <td>${nodes.join(', ')}</td>
      </tr> `,
  );
  return html`<div class="wide">
    <table>
      <tr>
        <th>Function</th>
        <th>Lives at</th>
      </tr>
      ${rows}
    </table>
  </div>`;
};

const homesByFunction = (members: readonly FederationMember[]): readonly (readonly [string, readonly string[]])[] => {
  const homes = new Map<string, string[]>();
  for (const member of members) {
    if (member.state === 'gone') continue;
    for (const key of member.functions) homes.set(key, [...(homes.get(key) ?? []), member.name]);
  }
  return [...homes].sort(([a], [b]) => (a < b ? -1 : 1));
};

/** The name alone, where its namespace is the default one. */
const label = (key: string): string => {
  const { name, namespace } = splitFunctionKey(key as FunctionKey);
  return namespace === 'openfaas-fn' ? name : key;
};

const age = (ms: number): string => (ms === 0 ? 'here' : `${(ms / 1000).toFixed(1)} s ago`);

const examples = ({ members }: FederationStatus): string => {
  const own = members[0]?.address ?? 'http://127.0.0.1:8080';
  const first = homesByFunction(members)[0]?.[0];
  return [
    ...(first === undefined ? [] : [`curl ${own}/function/${label(first)} -d 'Hello'`]),
    `skein --gateway ${own} list`,
    `skein --gateway ${own} deploy DIR`,
    `OPENFAAS_URL=${own} faas-cli list`,
  ].join('\n');
};
