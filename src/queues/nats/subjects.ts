/** Where a queue of that name keeps its messages. Lanes and call ids are written in base64url: any text makes one token. */
export type Subjects = {
  readonly stream: string;
  readonly deadStream: string;
  readonly all: string;
  readonly allDead: string;
  /** Told, outside the streams, whenever something was added. */
  readonly wake: string;
  item(lane: string, callId: string): string;
  dead(lane: string, callId: string): string;
  /** All items of a lane; also what its consumer filters by. */
  lane(lane: string): string;
  /** All items of a call. */
  call(callId: string): string;
  /** The name of a lane's consumer. */
  consumer(lane: string): string;
};

export const subjectsOf = (name: string): Subjects => {
  const [items, dead] = [`${name}.queue.items`, `${name}.queue.dead`];
  return {
    stream: `${name}-queue`,
    deadStream: `${name}-queue-dead`,
    all: `${items}.*.*`,
    allDead: `${dead}.*.*`,
    wake: `${name}.queue.wake`,
    item: (lane, callId) => `${items}.${token(lane)}.${token(callId)}`,
    dead: (lane, callId) => `${dead}.${token(lane)}.${token(callId)}`,
    lane: (lane) => `${items}.${token(lane)}.*`,
    call: (callId) => `${items}.*.${token(callId)}`,
    consumer: token,
  };
};

/** The lane and the call id that a subject spells. */
export const parseSubject = (subject: string): { readonly lane: string; readonly callId: string } => {
  const [lane = '', callId = ''] = subject.split('.').slice(-2);
  return { lane: parseToken(lane), callId: parseToken(callId) };
};

export const parseToken = (text: string): string => Buffer.from(text, 'base64url').toString();

const token = (text: string): string => Buffer.from(text).toString('base64url');
