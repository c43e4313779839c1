/** A user's front end for each contestant: the client library that belongs to it, with its own way of coming back. */
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { connect } from '../../dist/client/index.js';

/**
 * A front end of the service, by `websocket-manager/client`.
 *
 * @param prompts how many the user must be shown before everything is back
 * @param onMessage called with each note
 * @param onBack called when a connection has subscribed, recovered, and shown what is pending
 */
export function ours({ user, port, onMessage = () => undefined, onBack, prompts = 0 }) {
  const client = connect(`ws://127.0.0.1:${port}/ws`, {
    userId: user,
    WebSocket: watched(prompts, onBack),
    shareTabs: false,
    onError: () => undefined,
  });
  client.on('note', onMessage);
  client.channel('broadcast', () => undefined);
  return { stop: () => client.close() };
}

/** A WebSocket that counts what the service restores. */
function watched(prompts, onBack) {
  return class extends WebSocket {
    #confirmed = false;
    #recovering = 0;
    #shown = 0;

    constructor(url, protocols) {
      super(url, protocols, { perMessageDeflate: false });
      this.on('message', (data) => this.#onFrame(data));
    }

    send(text) {
      this.#recovering += text.split('"recover":{').length - 1;
      super.send(text);
    }

    #onFrame(data) {
      if (data.includes('"type":"task_step_result"')) this.#shown += 1;
      else if (data.includes('"type":"subscription_confirmed"')) this.#confirmed = true;
      else if (data.includes('"type":"recovered"')) this.#recovering -= 1;
      else return;
      if (this.#confirmed && this.#recovering === 0 && this.#shown >= prompts) onBack();
    }
  };
}

/** A front end of Socket.IO, which restores nothing, or with its connection state recovery the last messages. */
export function socketio({ user, port, onMessage = () => undefined, onBack }) {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, auth: { user } });
  socket.on('note', onMessage);
  socket.on('connect', onBack);
  return { stop: () => socket.disconnect() };
}
