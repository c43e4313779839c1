/** What the user was asked before this page was opened, as the service's REST gives it. */
import type { NotificationClient, OpenConfirmation } from '../client/index.js';
import type { Card } from './cards.js';
import type { ConfirmationView } from '../protocol/messages.js';
import type { Kit } from './kit.js';

interface Page {
  confirmations: (OpenConfirmation & ConfirmationView)[];
}

const OUTCOMES = ['answered', 'timed_out', 'cancelled', 'withdrawn'] as const;
/** Of each outcome, and in all. */
const MOST = 200;

/**
 * The user's decided confirmations, the newest first.
 * @throws Error where the service refuses or cannot be reached
 */
export async function readHistory({ decisionOf }: Kit, client: NotificationClient): Promise<Card[]> {
  const lists = await Promise.all(OUTCOMES.map((outcome) => readNewest(client, outcome)));
  return lists
    .flat()
    .sort((one, other) => other.timestamp - one.timestamp)
    .slice(0, MOST)
    .map((entry, index) => ({
      key: `h${index}`,
      asked: entry,
      phase: 'past',
      label: '',
      fields: {},
      problem: '',
      decision: {
        ...decisionOf(entry),
        isMine: entry.answered_by !== undefined && entry.answered_by === client.userId,
      },
      leavesAt: Infinity,
    }));
}

async function readNewest(
  { url, userId = '', authorization }: NotificationClient,
  state: string,
): Promise<Page['confirmations']> {
  const base = url.replace(/^ws/, 'http').replace(/(\/ws)?\/?(\?.*)?$/, '/ws/');
  const headers: HeadersInit = authorization === undefined ? {} : { authorization };
  const query = `state=${state}&order=newest&limit=${MOST}`;
  const response = await fetch(`${base}users/${encodeURIComponent(userId)}/confirmations?${query}`, { headers });
  const body = (await response.json()) as Page & { message?: string };
  if (!response.ok) throw new Error(body.message ?? `status ${response.status}`);
  return body.confirmations;
}
