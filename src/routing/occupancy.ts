import { OwnBucket, type Bucket } from './bucket.ts';
import { OwnSuspicion, type Suspicion } from './suspicion.ts';

/** How many calls are in one place that a bound speaks of: a node, a function, a replica, on their way to a peer. */
export interface Occupancy {
  /** Calls there now. */
  readonly count: number;
  /** Those of them that this thread let in. */
  readonly own: number;
  /** Lets one in, unless `most` are there already; says whether. */
  enter(most: number): boolean;
  leave(): void;
}

/** What calls are in, and what they take from. */
export type Place = { readonly calls: Occupancy; readonly bucket: Bucket };

/** What calls are under way to, and whether it answers. */
export type PeerPlace = { readonly calls: Occupancy; readonly suspicion: Suspicion };

/** Makes places by their names (`places.ts`), which mean the same in each thread of a plane. */
export type Places = {
  place(name: string): Place;
  peer(name: string): PeerPlace;
};

/** Of a place that a single thread lets calls into. */
export class OwnOccupancy implements Occupancy {
  count = 0;

  get own(): number {
    return this.count;
  }

  enter(most: number): boolean {
    if (this.count >= most) return false;
    this.count += 1;
    return true;
  }

  leave(): void {
    this.count -= 1;
  }
}

/** Where one thread is all there is. */
export const ownPlaces: Places = {
  place: () => ({ calls: new OwnOccupancy(), bucket: new OwnBucket() }),
  peer: () => ({ calls: new OwnOccupancy(), suspicion: new OwnSuspicion() }),
};
