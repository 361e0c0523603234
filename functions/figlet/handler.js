'use strict';

const figlet = require('figlet');
const standard = require('figlet/fonts/Standard');

// The font is part of the bundle: the first call reads no file.
figlet.parseFont('Standard', standard.default ?? standard);

/** The body as a banner of ASCII art. */
module.exports = async (event, context) => {
  const text = textOf(event.body).trim() || 'Skein';
  const banner = figlet.textSync(text.slice(0, 1000), { font: 'Standard' });
  return context.status(200).headers({ 'content-type': 'text/plain; charset=utf-8' }).succeed(`${banner}\n`);
};

/** The body as it was sent; what came as a form (as `curl -d` says of everything) was taken apart before. */
const textOf = (body) => {
  if (body === null || body === undefined) return '';
  if (typeof body !== 'object' || Buffer.isBuffer(body)) return String(body);
  return Object.entries(body)
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join('&');
};
