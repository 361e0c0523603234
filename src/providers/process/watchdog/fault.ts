/** What a caller is told instead of an answer. */
export class Fault extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Fault';
    this.status = status;
  }
}
