/** Scripts of confirmations and their decisions. */
import { confirmation, decided, record } from '../records.js';
import { fields, flag, listOf, number, optional, text } from '../reply-decoder.js';
import { script } from './script.js';

export const OPEN = script('open', {
  kind: 'adds',
  args: {
    id: 'text',
    user: 'text',
    task: 'text',
    step: 'number',
    prompt: 'json',
    timeout: 'optionalNumber',
    onTimeout: 'text',
    onTimeoutBy: 'text',
    key: 'optionalText',
    fingerprint: 'optionalText',
    taskVersion: 'text',
    cancelled: 'flag',
    cancelledBy: 'optionalText',
    reason: 'optionalText',
    cancelledVia: 'optionalText',
    maxPending: 'optionalNumber',
  },
  reply: fields({ status: text, record: optional(confirmation), newestEvent: optional(number) }),
});

/** The record of a decided confirmation; the deadline of one that waits. */
const decision = fields({
  status: text,
  record: optional((reply) => (Array.isArray(reply) ? decided(record(reply)) : number(reply))),
  newestEvent: optional(number),
});

export const DECIDE = script('decide', {
  kind: 'decides',
  args: {
    id: 'text',
    scope: 'scope',
    answeredBy: 'optionalText',
    proceed: 'answer',
    feedback: 'optionalText',
    choice: 'optionalText',
    values: 'optionalText',
    edited: 'optionalText',
    via: 'text',
    arrived: 'optionalNumber',
  },
  reply: decision,
});

export const WITHDRAW = script('withdraw', {
  kind: 'decides',
  args: { id: 'text', scope: 'scope', reason: 'optionalText', via: 'text', arrived: 'optionalNumber' },
  reply: decision,
});

export const MARK_SEEN = script('mark-seen', {
  kind: 'adds',
  args: { id: 'text', scope: 'scope' },
  reply: fields({ record: optional(confirmation), newestEvent: optional(number) }),
});

export const DISMISS = script('dismiss', {
  kind: 'adds',
  args: { id: 'text', scope: 'scope', hiddenUntil: 'optionalNumber' },
  reply: fields({ status: text, record: optional(confirmation), newestEvent: optional(number) }),
});

export const GET = script('get', {
  kind: 'maintains',
  args: { id: 'text' },
  reply: fields({ record: optional(confirmation), newestEvent: number }),
});

export const LIST = script('list', {
  kind: 'maintains',
  args: {
    list: 'text',
    subject: 'text',
    pendingOnly: 'flag',
    newestFirst: 'flag',
    from: 'text',
    to: 'text',
    limit: 'number',
    pageBytes: 'number',
    task: 'optionalText',
    state: 'optionalText',
    scope: 'scope',
  },
  reply: fields({ records: listOf(record), nextFrom: optional(text), newestEvent: number }),
});

export const PENDING_IDS = script('pending-ids', { kind: 'reads', args: { user: 'text' }, reply: listOf(text) });

export const CANCEL_CONFIRMATIONS = script('cancel-confirmations', {
  kind: 'decides',
  args: {
    task: 'text',
    version: 'text',
    cancelledBy: 'optionalText',
    reason: 'optionalText',
    markTtl: 'number',
    cancelledVia: 'optionalText',
    arrived: 'optionalNumber',
  },
  reply: fields({ more: flag, newestEvent: number }),
});
