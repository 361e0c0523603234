import { placementOf } from '../catalogue/placement.ts';
import type { NodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import type { Hosted } from './hosted.ts';

/**
 * The peers where a function is to live by its constraints, and that have not said yet that it does: they may do so at any
 * moment. What a peer has said is the strategy's matter.
 */
export const homesToCome = (
  { value }: Pick<Hosted, 'value'>,
  members: readonly Member[],
  hasTold: (id: NodeId) => boolean,
): readonly NodeId[] =>
  members.flatMap(({ id, state, announcement }) => {
    if (state !== 'alive' || announcement === undefined || announcement.draining || hasTold(id)) return [];
    const { location, ...facts } = announcement;
    const node = location === undefined ? facts : { ...facts, location };
    return placementOf(value.deployment.constraints, node).placed ? [id] : [];
  });
