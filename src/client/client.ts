/**
 * A client that never loses an answer: it connects, comes back, resumes, and keeps what is open.
 *
 *  token → connection (`reconnecting-socket`, shared among tabs by `shared-socket`) → `identity` → `channels` (subscribe,
 *  recover) → `requests` that wait (answers, cancellations, acknowledgements) are sent again.
 *
 * The order is the server's: it handles the frames of one connection one after the other.
 *
 * Its parts are functions, and their state is local variables, since minifiers shorten those, and no names of members.
 */
import type { TaskStepResult } from '../protocol/messages.js';
import { createChannels } from './channels.js';
import { createServerClock } from './clock.js';
import { createConfirmationStore } from './confirmations.js';
import { ClientClosedError, ConnectionLostError, isTemporary, ServerError } from './errors.js';
import type { ServerMessage } from './frames.js';
import { createIdentity } from './identity.js';
import { createListeners } from './listeners.js';
import { createMessages } from './messages.js';
import type { ClientOptions, NotificationClient } from './notification-client.js';
import { globalSocket, pageLocks } from './platform.js';
import { createReconnectingSocket, type ConnectionState } from './reconnecting-socket.js';
import { guarded } from './report.js';
import { createRequests } from './requests.js';
import { createSnapshots } from './snapshots.js';
import type { SocketLike } from './socket.js';

/**
 * Connects, and stays connected until `close()`.
 *
 * @param url `ws://host:8765/ws` or `wss://…`
 * @throws TypeError where there is no WebSocket
 * @example
 * const client = connect('ws://localhost:8765/ws', { userId: 'ann' });
 * client.onConfirmation(async (confirmation) => ({ proceed: await askAnn(confirmation.message) }));
 */
export function connect(url: string, options: ClientOptions = {}): NotificationClient {
  const { quietMs = 25_000, silenceMs = 10_000, shareTabs = true, WebSocket = globalSocket() } = options;
  const report = guarded(options.onError);
  const clock = createServerClock();
  const states = createListeners<[ConnectionState]>(report);
  const gaps = createListeners<[string]>(report);
  const requests = createRequests((text) => socket.send(text));
  const identity = createIdentity(options, requests, clock, report);
  const store = createConfirmationStore(requests, clock, report);
  const messages = createMessages(requests, report);
  const snapshots = createSnapshots((frame) => void messages.onFrame(frame), report);
  const channels = createChannels(requests, {
    onReady() {
      socket.onWorking();
      requests.onReady();
    },
    onSubscribing(channel) {
      if (channel === identity.channel) store.beforeRetain();
    },
    onSubscribed({ channel, pending }) {
      if (channel === identity.channel) store.retain(pending);
    },
    onStale(channel, isGap) {
      if (isGap) void gaps.call(channel);
      void snapshots.load(channel);
    },
    onEnded: report,
  });

  const ping = async (): Promise<void> => {
    const askedAt = Date.now();
    try {
      const { timestamp } = await requests.passing({ action: 'ping' });
      clock.onReply(Number(timestamp), askedAt);
      identity.renewInTime();
    } catch {
      // The connection ended, which the socket sees by itself.
    }
  };

  const onLost = (code: number): void => {
    identity.onLost(code);
    channels.onLost();
    requests.onLost(code);
    const { state } = socket;
    if (state.status !== 'closed') return;
    requests.close(new ClientClosedError(state.reason));
    store.close();
  };

  const onOpen = async (): Promise<void> => {
    try {
      await identity.authenticate();
      void ping();
      // Authenticating subscribes. Asking again gives the position, and what was missed.
      await channels.onConnected(identity.channel);
    } catch (error) {
      if (error instanceof ConnectionLostError) return;
      report(error);
      socket.renew(error instanceof ServerError && isTemporary(error) ? 1013 : 4401, 'not authenticated');
    }
  };

  /** An open-mode connection is anonymous until it has its user, and receives what concerns all users. */
  const isForeign = ({ type, user_id, target_user_id = user_id }: ServerMessage): boolean => {
    if (type === 'task_step_result' && identity.isForeign(user_id)) return true;
    const { userId } = identity;
    return !channels.isReady() && userId !== undefined && (target_user_id ?? userId) !== userId;
  };

  const onText = (text: string): void => {
    let frame: ServerMessage;
    try {
      frame = JSON.parse(text) as ServerMessage;
    } catch (error) {
      return report(error);
    }
    const isNew = channels.onFrame(frame);
    const isReply = requests.onFrame(frame);
    const { type } = frame;
    if (!isNew || (isReply && type !== 'task_cancelled') || isForeign(frame)) return;
    const callbackId = String(frame['callback_id']);
    if (type === 'task_step_result') store.onShown(frame as unknown as TaskStepResult);
    else if (type === 'confirmation_resolved') store.remove(callbackId);
    else if (type === 'confirmation_expiring') store.onExpiring(callbackId);
    else if (type === 'confirmation_dismissed') store.onDismissed(callbackId, Number(frame['dismissed_until']));
    else if (type === 'error') report(new Error(`${String(frame['code'])}: ${String(frame['message'])}`));
    if (!snapshots.hold(frame['channel'], frame)) void messages.onFrame(frame);
  };

  const socket = createReconnectingSocket(
    { quietMs, silenceMs },
    {
      async open() {
        await identity.prepare();
        const { shareKey } = identity;
        const open = (): SocketLike => new WebSocket(url, ['notification.v1']);
        const locks = shareTabs ? pageLocks() : undefined;
        if (!locks || shareKey === undefined) return open();
        try {
          const { SharedSocket } = await import('./shared-socket.js');
          return new SharedSocket(locks, `${url} ${shareKey}`, open);
        } catch (error) {
          // The file is gone since the page was loaded, or the frame may not share.
          report(error);
          return open();
        }
      },
      onOpen: () => void onOpen(),
      onText,
      onLost,
      onState: (state) => void states.call(state),
      onError: report,
      sendPing: () => void ping(),
    },
  );

  const client: NotificationClient = {
    url,
    confirmations: store,
    report,
    get state() {
      return socket.state;
    },
    get userId() {
      return identity.userId;
    },
    get authorization() {
      return identity.authorization;
    },
    onState: (listener) => states.add(listener),
    on: (type, listener) => messages.onType(type, listener),
    channel(channel, listener, { snapshot } = {}) {
      const stops = [messages.onChannel(channel, listener)];
      if (snapshot) stops.push(snapshots.add(channel, snapshot));
      if (channels.add(channel) && snapshot) void snapshots.load(channel);
      return () => {
        for (const stop of stops) stop();
        if (!messages.hasChannel(channel) && channel !== identity.channel) channels.remove(channel);
      };
    },
    task: (taskId, listener, of) => client.channel(`task:${taskId}`, listener, of),
    onGap: (listener) => gaps.add(listener),
    onConfirmation: (handler) => store.onConfirmation(handler),
    async cancel(taskId, reason) {
      await requests.lasting(() => ({ action: 'cancel', user_id: identity.userId, task_id: taskId, reason }));
    },
    remainingMs: ({ expires_at: expiresAt }) => (expiresAt === null ? Infinity : expiresAt * 1000 - clock.now()),
    close() {
      socket.close('closed by the application');
      onLost(1000);
    },
  };
  socket.connect();
  return client;
}
