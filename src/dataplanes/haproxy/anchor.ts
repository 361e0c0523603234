import {
  bits,
  certificatePem,
  generalizedTime,
  integer,
  objectId,
  sequence,
  set,
  tagged,
  utcTime,
  utf8,
} from '../../std/der.ts';

/**
 * A trust anchor for one peer, as PEM. Peers' certificates are made anew at every start and signed by nobody else;
 * what is known of a peer is its Ed25519 key. So HAProxy is given, as the authority that must have signed the peer's
 * certificate, a certificate over that very key: only what the key's holder signed is accepted. The anchor's own
 * signature is never looked at (it is what trust starts from), so it is all zeros here.
 */
export const anchorOf = (publicKeyHex: string): string => {
  const name = sequence(set(sequence(objectId('550403'), utf8(issuer))));
  const ed25519 = sequence(objectId('2b6570'));
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(1),
    ed25519,
    name,
    sequence(utcTime('200101000000Z'), generalizedTime('99991231235959Z')),
    name,
    sequence(ed25519, bits(Buffer.from(publicKeyHex, 'hex'))),
    tagged(0xa3, sequence(sequence(objectId('551d13'), yes, tagged(0x04, sequence(yes))))),
  );
  const whole = sequence(body, ed25519, bits(Buffer.alloc(64)));
  return certificatePem(whole);
};

/** As `certificate.ts` names the signer of every node's certificate. */
const issuer = 'skein key';

const yes = Buffer.from([0x01, 0x01, 0xff]);
