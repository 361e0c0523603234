/** Of every frontend and backend. */
export const common = [
  'mode http',
  'log global',
  'option dontlognull',
  'option abortonclose',
  'option http-keep-alive',
  'http-reuse always',
  'timeout connect 5s',
  'timeout client 1h',
  'timeout server 1h',
  'timeout queue 1h',
  'timeout http-request 60s',
  'timeout http-keep-alive 75s',
];
