/** Why bytes are no message that can be trusted: what a server answers with, and a sentence for whoever sent them. */
export class Fault {
  readonly status: number;
  readonly sentence: string;

  constructor(status: number, sentence: string) {
    this.status = status;
    this.sentence = sentence;
  }
}

/** A scanner needs more bytes. Places in a chunk are 0 or more. */
export const more = -1;
/** What came is no message; `fault` says why. */
export const bad = -2;
