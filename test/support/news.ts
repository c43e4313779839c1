/** A channel of an application's own. */
import { parseChannel } from '../../src/protocol/channels.js';

export const NEWS = parseChannel('news');
