/** Planted deviations: small mutations of the client's frames, close codes and events. The suite must find each. */
import type { SocketConstructor, SocketLike } from '../../src/client/index.js';

export interface Command {
  do: string;
  url?: string;
  channels?: string[];
  user_id?: string;
  tokens?: string[];
  quiet_ms?: number;
  callback_id?: string;
  proceed?: boolean;
}

export interface WireFrame {
  action?: string;
  type?: string;
  channels?: { channel: string; recover?: { epoch: string; offset: number } }[];
  [field: string]: unknown;
}

type Say = (event: Record<string, unknown>) => void;

export interface Deviation {
  /** What goes to the server instead of a frame. */
  up?: (frame: WireFrame) => WireFrame[];
  /** What the client gets instead of a frame. */
  down?: (frame: WireFrame, say: Say, send: (frame: WireFrame) => void) => WireFrame[];
  onOpen?: (send: (frame: WireFrame) => void) => void;
  closeCode?: (code: number) => number;
  /** What the driver says instead of an event. */
  event?: (event: Record<string, unknown>) => Record<string, unknown>[];
  random?: () => number;
  quietMs?: number;
  dropsAnswer?: boolean;
}

interface Planted {
  /** The claim that finds it. */
  claim: string;
  create: () => Deviation;
}

const RECOVERS = 'recovers every channel with one frame, from its last position';
const LOST = 'reports a history that is lost, and goes on from the new one';
const ACKNOWLEDGES = 'acknowledges a message after its handler has ended, and handles it once';
const DISMISSES = 'hides what is dismissed, here or on another device, until it expires soon';
const OFFLINE = 'delivers an answer that was given offline, once';

const recovering = (change: (recover: { epoch: string; offset: number }) => object | undefined): Deviation => ({
  up: (frame) => [
    {
      ...frame,
      channels: frame.channels?.map(({ channel, recover }) => ({ channel, recover: recover && change(recover) })),
    } as WireFrame,
  ],
});
const closing = (from: number, to: number): Deviation => ({ closeCode: (code) => (code === from ? to : code) });
const without = (event: string): Deviation => ({ event: (one) => (one['event'] === event ? [] : [one]) });

export const DEVIATIONS: Record<string, Planted> = {
  'stores the position before the last': {
    claim: RECOVERS,
    create: () => recovering(({ epoch, offset }) => ({ epoch, offset: Math.max(0, offset - 1) })),
  },
  'stores a position that it has not reached': {
    claim: RECOVERS,
    create: () => recovering(({ epoch, offset }) => ({ epoch, offset: offset + 1 })),
  },
  'forgets its positions': { claim: RECOVERS, create: () => recovering(() => undefined) },
  'subscribes one by one': {
    claim: RECOVERS,
    create: () => ({
      up: (frame) => (frame.channels ?? [undefined]).map((one) => (one ? { ...frame, channels: [one] } : frame)),
    }),
  },
  'keeps the old epoch': { claim: LOST, create: () => recovering(({ offset }) => ({ epoch: 'e', offset })) },
  'does not report a lost history': { claim: LOST, create: () => without('gap') },
  'does not notice a missing message': {
    claim: 'reports a missing message as a gap',
    create: () => {
      let last = 0;
      return { down: (frame) => [frame.type === 'n' ? { ...frame, offset: ++last } : frame] };
    },
  },
  'does not de-duplicate': {
    claim: 'drops a message that arrives twice',
    create: () => {
      let last = 0;
      return { down: (frame) => [frame.type === 'n' ? { ...frame, offset: ++last } : frame] };
    },
  },
  'delivers what recovery repeats': {
    claim: 'leaves out what recovery is going to repeat',
    create: () => ({
      down: (frame, say) => {
        if (frame.type === 'n' && frame['channel'] === undefined) say({ event: 'message', type: 'n', number: frame['number'] });
        return [frame];
      },
    }),
  },
  'acknowledges before handling': {
    claim: ACKNOWLEDGES,
    create: () => ({
      down: (frame, _say, send) => {
        if (frame['requires_ack']) send({ action: 'ack', message_id: frame['message_id'], request_id: 'early' });
        return [frame];
      },
    }),
  },
  'never acknowledges': { claim: ACKNOWLEDGES, create: () => ({ up: (frame) => (frame.action === 'ack' ? [] : [frame]) }) },
  'handles an acknowledged message again': {
    claim: ACKNOWLEDGES,
    create: () => {
      let count = 0;
      return { down: (frame) => [frame['requires_ack'] ? { ...frame, message_id: `m${++count}` } : frame] };
    },
  },
  'drops an offline answer': { claim: OFFLINE, create: () => ({ dropsAnswer: true }) },
  'repeats an answer that counts': {
    claim: OFFLINE,
    create: () => {
      let answer: WireFrame | undefined;
      return {
        up: (frame) => {
          const again = frame.action === 'subscribe' && answer ? [frame, answer] : [frame];
          if (frame.action === 'confirm') answer = frame;
          return again;
        },
      };
    },
  },
  'calls an answer delivered before the reply': {
    claim: OFFLINE,
    create: () => ({
      event: (one) => (one['event'] === 'did' ? [one, { event: 'answered', callback_id: 'p1' }] : [one]),
    }),
  },
  'sends before it says who it is': {
    claim: OFFLINE,
    create: () => ({ onOpen: (send) => send({ action: 'pending', request_id: 'early' }) }),
  },
  'sends an answer only once': {
    claim: 'sends an answer again whose reply was lost',
    create: () => {
      let isSent = false;
      return {
        up: (frame) => {
          if (frame.action !== 'confirm') return [frame];
          if (isSent) return [];
          isSent = true;
          return [frame];
        },
      };
    },
  },
  'leaves the digest out': {
    claim: 'sends an answer again whose reply was lost',
    create: () => ({ up: ({ digest: _digest, ...frame }) => [frame] }),
  },
  'gives an answer up that could not be stored': {
    claim: 'sends an answer again that the server could not store',
    create: () => ({ down: (frame) => [frame['code'] === 'UNAVAILABLE' ? { ...frame, code: 'INVALID_ANSWER' } : frame] }),
  },
  'calls an answer accepted that lost': {
    claim: 'rejects an answer with the decision that counts',
    create: () => ({ down: (frame) => [frame.type === 'error' ? { ...frame, type: 'confirmation_accepted' } : frame] }),
  },
  'keeps what was decided while it was away': {
    claim: 'removes what was decided while it was away',
    create: () => ({
      down: (frame) => {
        const subscriptions = frame['subscriptions'] as object[] | undefined;
        return [subscriptions ? { ...frame, subscriptions: subscriptions.map((one) => ({ ...one, pending: ['p1'] })) } : frame];
      },
    }),
  },
  'shows again what was decided': {
    claim: 'does not show again what was decided',
    create: () => ({
      down: (frame, say) => {
        if (frame['redelivered']) say({ event: 'asked', callback_id: frame['callback_id'] });
        return [frame];
      },
    }),
  },
  'shows what another device has dismissed': {
    claim: DISMISSES,
    create: () => ({ down: (frame) => (frame.type === 'confirmation_dismissed' ? [] : [frame]) }),
  },
  'hides what expires soon': {
    claim: DISMISSES,
    create: () => ({ down: (frame) => (frame.type === 'confirmation_expiring' ? [] : [frame]) }),
  },
  'comes back at once after 1012': { claim: 'comes back at a random moment after 1012', create: () => closing(1012, 1006) },
  'comes back after 4509': { claim: 'stays away after 4509', create: () => closing(4509, 1006) },
  'stays away after 4408': { claim: 'comes back after 4408', create: () => closing(4408, 4509) },
  'comes back at once after 1013': { claim: 'comes back later after 1013', create: () => closing(1013, 1006) },
  'ignores that 4401 wants a new token': {
    claim: 'comes back with a new token after 4401',
    create: () => closing(4401, 4400),
  },
  'comes back without jitter': { claim: 'comes back at scattered moments', create: () => ({ random: () => 0.5 }) },
  'does not end when it is closed': { claim: 'ends when it is closed, whatever it is doing', create: () => without('closed') },
  'waits for all channels before it answers': {
    claim: 'answers while another channel is not available, and asks for that one again',
    create: () => ({
      down: (frame) => (frame.type === 'error' && frame['code'] === 'UNAVAILABLE' ? [] : [frame]),
    }),
  },
  'gives up a channel that ended for now': {
    claim: 'asks again for a channel that the server ended for now, from its position',
    create: () => ({ down: (frame) => (frame.type === 'unsubscribed' ? [] : [frame]) }),
  },
  'removes what the reply to subscribe does not name': {
    claim: 'keeps its user’s prompt that is shown before the reply to subscribe, and leaves out another user’s',
    create: () => ({
      event: (one) => [one, ...(one['callback_id'] === 'early' ? [{ event: 'gone', callback_id: 'early' }] : [])],
    }),
  },
  'sends again what is too large': {
    claim: 'rejects the answer that is too large for the server, and does not send it again',
    create: () => closing(1009, 1006),
  },
  'trusts a silent server': { claim: 'gives up a server that is silent', create: () => ({ quietMs: 3_600_000 }) },
};

/** The class of sockets that a client with this deviation has. */
export function deviatingSocket(Socket: SocketConstructor, deviation: Deviation, say: Say): SocketConstructor {
  return class implements SocketLike {
    private readonly socket: SocketLike;

    constructor(url: string, protocols?: string | string[]) {
      this.socket = new Socket(url, protocols);
    }

    get readyState(): number {
      return this.socket.readyState;
    }

    send(text: string): void {
      const frame = JSON.parse(text) as WireFrame;
      for (const one of deviation.up?.(frame) ?? [frame]) this.raw(one);
    }

    close(): void {
      this.socket.close();
    }

    addEventListener(type: string, listener: Parameters<SocketLike['addEventListener']>[1]): void {
      const raw = (frame: WireFrame): void => this.raw(frame);
      this.socket.addEventListener(type, (event) => {
        if (type === 'open') deviation.onOpen?.(raw);
        if (type === 'close') listener({ code: deviation.closeCode?.(event.code ?? 1006) ?? event.code, reason: event.reason });
        else if (type === 'message') {
          const frame = JSON.parse(String(event.data)) as WireFrame;
          for (const one of deviation.down?.(frame, say, raw) ?? [frame]) listener({ data: JSON.stringify(one) });
        } else listener(event);
      });
    }

    private raw(frame: WireFrame): void {
      this.socket.send(JSON.stringify(frame));
    }
  };
}
