/** The server's clock, learned from its replies, so that a wrong clock here moves no deadline. */
export class ServerClock {
  private offsetMs = 0;

  /**
   * @param timestamp the server's, in Unix seconds
   * @param askedAt when the request was sent, by this machine's clock
   */
  onReply(timestamp: number, askedAt: number): void {
    this.offsetMs = timestamp * 1000 - (askedAt + Date.now()) / 2;
  }

  /** Unix milliseconds. */
  now(): number {
    return Date.now() + this.offsetMs;
  }
}
