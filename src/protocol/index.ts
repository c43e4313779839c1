/** The wire contract, for clients and tools: types, codes, and the decoder. Imports nothing of Nest or Node. */
export * from './actions.js';
export {
  BROADCAST_CHANNEL,
  channelOf,
  parseChannel,
  taskChannel,
  userChannel,
  type Channel,
  type ParsedChannel,
} from './channels.js';
export * from './codes.js';
export * from './confirmation.js';
export * from './decode.js';
export * from './identifier.js';
export * from './messages.js';
export * from './replies.js';
export * from './server-messages.js';
export * from './webhook-events.js';
