/** Settings: what is sent to the webhook's receiver. */
import { WEBHOOK_SECRET } from '../../notification/service-door.js';
import { WEBHOOK_EVENTS, type WebhookEventName } from '../../protocol/webhook-events.js';
import { HTTP_URL, list, seconds, text, type Table } from './kinds.js';

const isWebhookEvent = (name: string): name is WebhookEventName => WEBHOOK_EVENTS.some((event) => event === name);

export const webhook = {
  WEBSOCKET_WEBHOOK_URL: {
    ...text('an http(s) URL', HTTP_URL),
    isSecret: true,
    inFile: true,
    about: 'Where [webhook events](webhooks.md) are sent. Needs the secret.',
  },
  WEBSOCKET_WEBHOOK_SECRET: {
    ...list('whsec_ and base64 of at least 24 bytes; several, separated by commas, each sign', (secret) =>
      WEBHOOK_SECRET.test(secret),
    ),
    isSecret: true,
    inFile: true,
    about: 'What signs them: `whsec_` and base64 of at least 24 bytes. Several, separated by commas, each sign.',
  },
  WEBSOCKET_WEBHOOK_EVENTS: {
    ...list(`events, separated by commas: ${WEBHOOK_EVENTS.join(', ')}`, isWebhookEvent),
    default: WEBHOOK_EVENTS.join(','),
    about: 'Which events are sent; others are not stored.',
  },
  WEBSOCKET_WEBHOOK_TIMEOUT: { ...seconds(0.001, 3600), default: '10', about: 'Seconds that the receiver may take.' },
} as const satisfies Table;
