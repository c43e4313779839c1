/**
 * Bounds the bytes of request bodies that are under way. A body counts with its declared length; a chunked body counts with
 * the largest length that is accepted. It counts from its admission until it has arrived or its connection is closed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkOf } from '../access/address-limits.js';
import { declaredLength, MAX_BODY_BYTES } from './body-reader.js';

const MAX_TOTAL = 64 * MAX_BODY_BYTES;
/** One network must not use up the total. */
const MAX_PER_NETWORK = 16 * MAX_BODY_BYTES;

export class BodyBudget {
  private total = 0;
  private readonly byNetwork = new Map<string, number>();

  /** Whether one more body is admitted. An admitted body is counted. */
  admits(request: IncomingMessage, response: ServerResponse, address: string): boolean {
    const bytes = request.complete ? 0 : Math.min(declaredLength(request), MAX_BODY_BYTES);
    if (bytes === 0) return true;
    const network = networkOf(address);
    const own = this.byNetwork.get(network) ?? 0;
    if (this.total + bytes > MAX_TOTAL || own + bytes > MAX_PER_NETWORK) return false;
    this.count(network, bytes);
    let counts = true;
    const release = (): void => {
      if (counts) this.count(network, -bytes);
      counts = false;
    };
    request.once('end', release).once('close', release);
    response.once('close', release);
    return true;
  }

  private count(network: string, bytes: number): void {
    this.total += bytes;
    const own = (this.byNetwork.get(network) ?? 0) + bytes;
    if (own > 0) this.byNetwork.set(network, own);
    else this.byNetwork.delete(network);
  }
}
