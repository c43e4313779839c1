/**
 * Joins buffers. What it joined last is used again for the same buffers: after several broadcasts in one turn of the event loop,
 * the same frames wait for thousands of connections.
 */
export class BufferJoiner {
  private parts: readonly Buffer[] = [];
  private joined = Buffer.alloc(0);

  join(parts: readonly Buffer[]): Buffer {
    if (parts.length !== this.parts.length || parts.some((part, index) => part !== this.parts[index])) {
      this.parts = parts;
      this.joined = Buffer.concat(parts);
    }
    return this.joined;
  }
}
