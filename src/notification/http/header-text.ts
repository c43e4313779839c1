/** Headers that carry a name or a secret. Their text must be ASCII: the encoding of other bytes depends on the sender. */
import type { IncomingMessage } from 'node:http';
import { InvalidMessageError } from '../notification.errors.js';

/** @throws InvalidMessageError for a header that is given twice, or holds anything but ASCII */
export function headerText(request: IncomingMessage, name: string): string | undefined {
  const [value, ...others] = request.headersDistinct[name.toLowerCase()] ?? [];
  if (others.length > 0) throw new InvalidMessageError({ [name]: 'is given twice' });
  if (value !== undefined && !/^[\x20-\x7e]*$/.test(value)) throw new InvalidMessageError({ [name]: 'must be ASCII' });
  return value;
}
