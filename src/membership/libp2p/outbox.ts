/** Something to be written to one peer. */
export type Parcel = {
  readonly frame: Uint8Array;
  /** Of all parcels with one topic only the newest is worth sending: it takes the place of the one that waits. */
  readonly replaces?: 'status' | 'ping';
  /** Called once: written, or dropped. */
  readonly done?: (written: boolean) => void;
};

export const maxParcels = 1024;
export const maxOutboxBytes = 8 * 1024 * 1024;

/** What waits for a slow peer, first come first served, within bounds. */
export class Outbox {
  #parcels: Parcel[] = [];
  #bytes = 0;

  /** False when there is no room. */
  push(parcel: Parcel): boolean {
    if (parcel.replaces !== undefined) this.#drop(parcel.replaces);
    if (this.#parcels.length >= maxParcels || this.#bytes + parcel.frame.length > maxOutboxBytes) return false;
    this.#parcels.push(parcel);
    this.#bytes += parcel.frame.length;
    return true;
  }

  shift(): Parcel | undefined {
    const parcel = this.#parcels.shift();
    if (parcel !== undefined) this.#bytes -= parcel.frame.length;
    return parcel;
  }

  /** Drops everything. */
  clear(): void {
    for (let parcel = this.shift(); parcel !== undefined; parcel = this.shift()) parcel.done?.(false);
  }

  #drop(topic: Parcel['replaces']): void {
    const index = this.#parcels.findIndex((parcel) => parcel.replaces === topic);
    if (index === -1) return;
    const [old] = this.#parcels.splice(index, 1);
    this.#bytes -= old?.frame.length ?? 0;
    old?.done?.(false);
  }
}
