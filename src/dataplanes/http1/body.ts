import { EndlessBody, LengthBody, type BodyReader } from './body-reader.ts';
import { ChunkedBody } from './chunked-body.ts';
import type { Framing } from './head.ts';

/** Undefined where there is no body. */
export const bodyReader = (framing: Framing): BodyReader | undefined => {
  switch (framing.kind) {
    case 'none':
      return undefined;
    case 'length':
      return new LengthBody(framing.length);
    case 'chunked':
      return new ChunkedBody();
    case 'until-close':
      return new EndlessBody();
  }
};
