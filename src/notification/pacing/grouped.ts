/** Values by key, in the order in which they came. Most keys have one value, which is kept without a set: that takes 200 bytes. */
export class Grouped<Key, Value> {
  private readonly groups = new Map<Key, Value | Several<Value>>();

  of(key: Key): Iterable<Value> {
    const group = this.groups.get(key);
    if (group === undefined) return NONE;
    return group instanceof Several ? group : [group];
  }

  has(key: Key, value: Value): boolean {
    const group = this.groups.get(key);
    return group instanceof Several ? group.has(value) : group === value;
  }

  count(key: Key): number {
    const group = this.groups.get(key);
    if (group === undefined) return 0;
    return group instanceof Several ? group.size : 1;
  }

  add(key: Key, value: Value): void {
    const group = this.groups.get(key);
    if (group === undefined) this.groups.set(key, value);
    else if (group instanceof Several) group.add(value);
    else if (group !== value) this.groups.set(key, new Several([group, value]));
  }

  /** @returns whether the value was there */
  delete(key: Key, value: Value): boolean {
    const group = this.groups.get(key);
    if (!(group instanceof Several)) return group === value && this.groups.delete(key);
    if (!group.delete(value)) return false;
    const [only] = group;
    if (group.size === 1 && only !== undefined) this.groups.set(key, only);
    return true;
  }
}

class Several<Value> extends Set<Value> {}

const NONE: readonly never[] = [];
