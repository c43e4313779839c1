/** The webhook's options, given and resolved. */
import type { WebhookEventName } from '../../protocol/webhook-events.js';

/** Where events are sent by HTTP, signed as Standard Webhooks has it. */
export interface WebhookOptions {
  /** `http://` or `https://`; credentials in it become Basic authentication. */
  url: string;
  /** `whsec_` and base64 of 24 bytes or more; several while it changes, and each signs. */
  secret: string | string[];
  /** How long the receiver may take. @default 10 000 */
  timeoutMs?: number;
  /** What is sent; other events are not stored. @default all */
  events?: readonly WebhookEventName[];
}

export interface ResolvedWebhook extends Required<WebhookOptions> {
  secret: string[];
}

/** A webhook's secret: at least 24 bytes. */
export const WEBHOOK_SECRET = /^whsec_(?:[A-Za-z0-9+/]{4}){8,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
