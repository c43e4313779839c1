/**
 * Who did something: a user; a service (`id` is the subject of its token, absent for code in the same process and in open
 * mode); or the holder of an API key, named by the first 8 hexadecimal digits of the key's SHA-256.
 */
export type Actor = { kind: 'user'; id: string } | { kind: 'service'; id?: string } | { kind: 'key'; hash: string };

/** One line of the audit trail: who did what, when, from where, by which means. It holds no token and no message's contents. */
export interface AuditEntry {
  /** Unix milliseconds. */
  at: number;
  event: 'prompt' | 'decision' | 'cancel' | 'resume' | 'refused' | 'revoked' | 'reviewed';
  /** `null`: an anonymous connection, the clock, or a caller without an identity. */
  by: Actor | null;
  means: 'websocket' | 'rest' | 'service' | 'clock' | 'handshake';
  address?: string;
  /** Of a decision and a cancellation: the door by which it came. */
  via?: string;
  /** Of a decision: the user who answered or cancelled, also when a service passed the answer on. */
  answeredBy?: string;
  /** What was tried or done: an action, a route, an outcome. */
  what: string;
  userId?: string;
  taskId?: string;
  callbackId?: string;
  /** Of a refusal. */
  code?: string;
  /** How many refusals of the same kind followed since the last entry. */
  count?: number;
}

/** Of an audit entry: who did it, by which means, from where. */
export type AuditActor = Pick<AuditEntry, 'by' | 'means' | 'address'>;
