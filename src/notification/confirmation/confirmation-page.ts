/** A page of confirmations that is bounded in bytes as well as in number. */
import type { Confirmation, ConfirmationQuery, ConfirmationStore, Page } from '../engine/engine.js';

/** By default a page takes no more once it has about this many bytes. */
const PAGE_BYTES = 262_144;
/** Read before their size is known. */
const FIRST_ROWS = 16;

/** @returns at most `limit` confirmations, fewer once they have about `maxBytes`, one at least if there is one */
export async function readPage(
  store: ConfirmationStore,
  { limit, ...query }: ConfirmationQuery,
  maxBytes = PAGE_BYTES,
): Promise<Page<Confirmation>> {
  const items: Confirmation[] = [];
  let { cursor } = query;
  let bytes = 0;
  let next = Math.min(limit, FIRST_ROWS);
  do {
    const page = await store.list({ ...query, limit: next, cursor });
    items.push(...page.items);
    bytes += JSON.stringify(page.items).length;
    cursor = page.cursor;
    // As many more as will probably fit.
    next = Math.min(limit - items.length, Math.ceil(((maxBytes - bytes) * items.length) / bytes));
  } while (cursor !== undefined && next > 0);
  return { items, ...(cursor !== undefined && { cursor }) };
}
