/** Revocations: the end of a user's rights, announced to every node. E1 holds; see `engine.ts`. */
export interface Revocations {
  /**
   * From now on every token of the user that was issued before is invalid. Emits `onRevoked` on every node, within 2 s.
   * @returns the moment of the revocation
   */
  revoke(userId: string): Promise<number>;
  /** When the user was last revoked; never forgotten. */
  revokedAt(userId: string): Promise<number | undefined>;
  /** Emits `onReview` on every node, within 2 s. */
  review(userId: string): Promise<void>;
}

/** DI token of the same name as the interface. */
export const Revocations = Symbol('Revocations');
