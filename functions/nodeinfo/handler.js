'use strict';

const os = require('node:os');

const headerOf = (event, name) => event.headers?.[name.toLowerCase()] ?? event.headers?.[name];

const wantsJson = (event) => {
  const query = event.query ?? {};
  return 'json' in query || String(headerOf(event, 'Accept') ?? '').includes('application/json');
};

/** Who served the call. */
module.exports = async (event, context) => {
  const info = {
    node: headerOf(event, 'X-Skein-Node') ?? null,
    hostname: os.hostname(),
    platform: os.platform(),
    arch: os.arch(),
    cpus: os.availableParallelism(),
    uptimeSeconds: Math.round(os.uptime()),
    nodeVersion: process.version,
  };
  if (wantsJson(event)) {
    return context.status(200).headers({ 'content-type': 'application/json' }).succeed(JSON.stringify(info));
  }
  const lines = [
    `Node:      ${info.node ?? 'unknown'}`,
    `Hostname:  ${info.hostname}`,
    `Platform:  ${info.platform}`,
    `Arch:      ${info.arch}`,
    `CPU count: ${info.cpus}`,
    `Uptime:    ${info.uptimeSeconds} s`,
    `Node.js:   ${info.nodeVersion}`,
  ];
  return context
    .status(200)
    .headers({ 'content-type': 'text/plain; charset=utf-8' })
    .succeed(`${lines.join('\n')}\n`);
};
