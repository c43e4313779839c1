/**
 * The other end: one attempt is one POST.
 *
 *  1. Only 2xx is success. Redirects are not followed: the address is the operator's to change.
 *  2. What comes back is not read, and nothing of the address, the secrets or the body appears in what is reported.
 */
import type { WebhookResult } from '../metrics/labels.js';
import type { ResolvedWebhook } from './webhook-options.js';
import { retryAfterMs } from './back-off.js';
import type { TraceContext } from '../tracing/trace-context.js';
import { keyOf, signatures } from './signature.js';
import { Date } from '../pacing/time-source.js';

export type Attempt =
  { delivered: true; result: WebhookResult } | { delivered: false; result: WebhookResult; reason: string; askedMs?: number };

export class Receiver {
  private readonly url: string;
  private readonly headers: Record<string, string>;
  private readonly keys: readonly Buffer[];
  private readonly timeoutMs: number;

  constructor({ url, secret, timeoutMs }: Pick<ResolvedWebhook, 'url' | 'secret' | 'timeoutMs'>) {
    const { username, password, ...rest } = parts(url);
    this.url = rest.url;
    const credentials = username === '' && password === '' ? undefined : `${username}:${password}`;
    this.headers = {
      'content-type': 'application/json',
      'user-agent': 'websocket-manager',
      ...(credentials !== undefined && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
    };
    this.keys = secret.map(keyOf);
    this.timeoutMs = Math.ceil(timeoutMs);
  }

  /** @param trace the place in a trace at which the attempt is made */
  async post(id: string, body: string, stop: AbortSignal, trace: TraceContext = {}): Promise<Attempt> {
    const timestamp = Math.floor(Date.now() / 1000);
    const timeout = AbortSignal.timeout(this.timeoutMs);
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.any([timeout, stop]),
        headers: {
          ...this.headers,
          ...trace,
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': signatures(this.keys, id, timestamp, body),
        },
        body,
      });
      response.body?.cancel().catch(() => undefined);
      if (response.ok) return { delivered: true, result: 'delivered' };
      return {
        delivered: false,
        result: `${Math.max(3, Math.floor(response.status / 100))}xx` as WebhookResult,
        reason: String(response.status),
        askedMs: retryAfterMs(response.headers.get('retry-after')),
      };
    } catch (error) {
      if (timeout.aborted) return { delivered: false, result: 'timeout', reason: 'no answer in time' };
      return { delivered: false, result: 'unreachable', reason: codeOf(error) };
    }
  }
}

/** `fetch` takes no credentials in an address, and says so with the address. */
function parts(address: string): { url: string; username: string; password: string } {
  const url = new URL(address);
  const [username, password] = [decoded(url.username), decoded(url.password)];
  url.username = url.password = '';
  return { url: url.href, username, password };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function codeOf(error: unknown): string {
  const { cause, name } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? name;
}
