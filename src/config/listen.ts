/** A TCP address to listen on or to be reached at. */
export type ListenAddress = {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  /** 0..65535; 0 = any free port. */
  readonly port: number;
};

const bracketed = /^\[([0-9A-Fa-f:.]+)\]:(\d{1,5})$/;
const plain = /^([0-9A-Za-z.-]*):(\d{1,5})$/;

/**
 * The address that `text` spells: `host:port`, `[::1]:port`, or `:port` for every interface. Undefined when it spells
 * none.
 */
export const parseListen = (text: string): ListenAddress | undefined => {
  const match = bracketed.exec(text) ?? plain.exec(text);
  if (match === null) return undefined;
  const [, host = '', digits = ''] = match;
  const port = Number(digits);
  return port > 65_535 ? undefined : { host: host === '' ? '::' : host, port };
};

/** The text that `parseListen` reads back. */
export const formatListen = ({ host, port }: ListenAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
