/** How many acknowledged messages, and how many decided confirmations, are remembered. */
const REMEMBERED = 1000;

/** Sets an entry, and forgets the oldest one beyond the limit. */
export function remember<Value>(entries: Map<string, Value>, key: string, value: Value): void {
  entries.set(key, value);
  const [oldest = ''] = entries.keys();
  if (entries.size > REMEMBERED) entries.delete(oldest);
}
