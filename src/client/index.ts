/** A client for browsers and Node: `connect(url, { userId })`. It imports nothing of the server but the wire's types. */
export { connect } from './client.js';
export type { ChannelOptions, ClientOptions, NotificationClient } from './notification-client.js';
export type { ConfirmationHandler, Confirmations, GivenAnswer, OpenConfirmation } from './confirmations.js';
export { AlreadyResolvedError, ClientClosedError, RequestTooLargeError, ServerError, TooManyRequestsError } from './errors.js';
export { checkAnswer } from './check-answer.js';
export type { Message, MessageListener } from './messages.js';
export type { SocketConstructor, SocketLike } from './socket.js';
export type { ConnectionState } from './reconnecting-socket.js';
