import { describe, expect, it } from 'vitest';
import { overdue, readSessions, readStage, readTimeouts } from './sessions.ts';

/** As HAProxy 2.6 and 3.0 say it. */
const older =
  '0x55c5da2e66e0: proto=tcpv4 src=127.0.0.1:45486 fe=public be=f0 srv=r1 ts=00 epoch=0 age=1m3s calls=3 rate=0 cpu=0 lat=0 rq[f=49c40080h,i=0,an=8000h,rx=,wx=,ax=] rp[f=80070202h,i=12717,an=4000000h,rx=,wx=4m58s,ax=] scf=[8,80h,fd=12] scb=[8,211h,fd=13] exp=3s rc=0 c_exp=';
const newer =
  '0x7fac59481000: proto=unix_stream src=unix:1 fe=again be=f17 srv=r3 ts=00 epoch=0 age=2s calls=3 rate=0 cpu=0 lat=0 rq[f=1840000h,i=0,an=8000h,ax=] rp[f=80070001h,i=0,an=4000000h,ax=] scf=[8,482h,fd=13,rex=,wex=4m58s] scb=[8,1211h,fd=14,rex=,wex=] exp=3s rc=0 c_exp=';
const itself =
  '0x55f46b54a490: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=2s calls=1 rate=1 cpu=0 lat=0';

describe('sessions of HAProxy', () => {
  it('are calls that replicas of this node run', () => {
    const elsewhere = older.replace('be=f0', 'be=peers').replace('0x55', '0x66');
    expect(readSessions([itself, older, elsewhere, newer, ''].join('\n'))).toEqual([
      { id: '0x55c5da2e66e0', backend: 'f0', ageMs: 63_000 },
      { id: '0x7fac59481000', backend: 'f17', ageMs: 2_000 },
    ]);
  });

  it.each([
    ['0s', 0],
    ['59s', 59_000],
    ['1m', 60_000],
    ['2h5m', 7_500_000],
    ['3d1h', 262_800_000],
  ])('have an age: %s', (text, ageMs) => {
    expect(readSessions(older.replace('1m3s', text))).toMatchObject([{ ageMs }]);
  });

  it.each([
    ['-1', 'asked'],
    ['100', 'asked'],
    ['200', 'answering'],
    ['504', 'answering'],
    ['101', 'switched'],
  ])('say how far they are: status %s', (status, stage) => {
    const text = `0x1: [22/Nov/2026:10:58:39.910167] id=1\n  txn=0x55f4 flags=0x3000 meth=1 status=${status} req.st=MSG_DONE\n      .meth=GET status=200`;
    expect(readStage(text)).toBe(stage);
  });

  it('that have ended are at no stage', () => {
    expect(readStage('')).toBeUndefined();
  });

  it('are overdue after the time of their function, and a while for what HAProxy ends by itself', () => {
    const timeouts = readTimeouts('f0 60000\nf17 1000\n\n');
    const at = (ageMs: number, backend: string) => ({ id: '0x1', backend, ageMs });
    const late = [at(63_000, 'f0'), at(4_000, 'f17')];
    expect(overdue([...late, at(62_000, 'f0'), at(3_000, 'f17'), at(1e9, 'f2')], timeouts)).toEqual(late);
  });
});
