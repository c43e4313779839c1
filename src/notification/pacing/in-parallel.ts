/** Work for many items, of which a bounded number is under way. */

/**
 * Runs `work` for every item, at most `limit` at once. A failure does not keep the other items from their turn.
 * @throws the first error, after the work for all items has ended
 */
export async function inParallel<Item>(items: Iterable<Item>, limit: number, work: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items].values();
  const errors: unknown[] = [];
  const workOn = async (): Promise<void> => {
    for (const item of waiting) await work(item).catch((error: unknown) => errors.push(error));
  };
  await Promise.all(Array.from({ length: limit }, workOn));
  if (errors.length > 0) throw errors[0];
}
