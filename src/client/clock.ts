/** The server's clock, learned from its replies, so that a wrong clock here moves no deadline. */
export interface ServerClock {
  /**
   * @param timestamp the server's, in Unix seconds
   * @param askedAt when the request was sent, by this machine's clock
   */
  onReply(timestamp: number, askedAt: number): void;
  /** Unix milliseconds. */
  now(): number;
}

export function createServerClock(): ServerClock {
  let offsetMs = 0;
  return {
    onReply(timestamp, askedAt) {
      offsetMs = timestamp * 1000 - (askedAt + Date.now()) / 2;
    },
    now: () => Date.now() + offsetMs,
  };
}
