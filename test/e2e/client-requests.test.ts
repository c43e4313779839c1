/** What becomes of a request that the server, JSON or the connection does not take. */
import { ScriptedClients, caughtUp, listed } from '../support/scripted-clients.js';

const refusal = (code: string): object => ({ type: 'error', code, message: code, timestamp: 0 });

describe('a client', () => {
  const scripted = new ScriptedClients();

  it('rejects the largest request when the server closes with 1009, and goes on with the others', async () => {
    const client = scripted.open();
    const first = await scripted.server.welcome();
    // In bytes the first is the larger one.
    const large = client.confirmations.answer('large', { proceed: true, edited: 'ä'.repeat(600) });
    const small = client.confirmations.answer('small', { proceed: true, edited: 'a'.repeat(1000) });
    await first.next('confirm');
    await first.next('confirm');
    first.socket.close(1009);
    await expect(large).rejects.toMatchObject({ name: 'RequestTooLargeError' });
    const again = await scripted.server.welcome();
    const confirm = await again.next('confirm');
    expect(confirm.callback_id).toBe('small');
    again.reply(confirm, { type: 'confirmation_accepted', callback_id: 'small' });
    await small;
  });

  it('rejects what JSON cannot hold, offline and online, and keeps its connection', async () => {
    const client = scripted.open();
    const given = { proceed: true, values: { count: 10n } } as never;
    await expect(client.confirmations.answer('p1', given)).rejects.toBeInstanceOf(TypeError);
    const connection = await scripted.server.welcome();
    await caughtUp(client, connection);
    await expect(client.confirmations.answer('p1', given)).rejects.toBeInstanceOf(TypeError);
    expect(scripted.errors).toEqual([]);
  });

  it('takes 10 000 requests that wait for the server, and connects and subscribes beside them', async () => {
    const client = scripted.open();
    const waiting = Array.from({ length: 10_000 }, async (_, number) => client.cancel(`task-${number}`));
    for (const one of waiting) one.catch(() => undefined);
    await expect(client.cancel('one more')).rejects.toMatchObject({ name: 'TooManyRequestsError' });
    await scripted.server.welcome();
    expect(scripted.errors).toEqual([]);
  });

  it('cancels a task by the user whom its token names, also when it is not known yet', async () => {
    const client = scripted.open({ token: () => 'token' });
    const cancelled = client.cancel('task-1', 'too late');
    const connection = await scripted.server.next();
    const frame = await connection.next('authenticate');
    connection.reply(frame, { type: 'authenticated', user_id: 'ann', expires_at: null });
    await connection.welcome();
    const cancel = await connection.next('cancel');
    expect(cancel).toMatchObject({ user_id: 'ann', task_id: 'task-1', reason: 'too late' });
    connection.reply(cancel, { type: 'task_cancelled', user_id: 'ann', task_id: 'task-1' });
    await cancelled;
  });

  it('asks for a token again when the last call does not settle', async () => {
    let calls = 0;
    const never = new Promise<string>(() => undefined);
    scripted.open({ token: () => (++calls === 1 ? never : 'second'), silenceMs: 50 });
    const connection = await scripted.server.next();
    expect(await connection.next('authenticate')).toMatchObject({ token: 'second' });
  });

  it('gets its user’s prompts and sends answers while another channel is not available, and asks for that one again', async () => {
    const client = scripted.open();
    client.channel('news', () => undefined);
    const connection = await scripted.server.next();
    connection.reply(await connection.next('subscribe'), refusal('UNAVAILABLE'));
    expect((await connection.welcome()).channels).toEqual([{ channel: 'user:ann' }]);
    connection.reply(await connection.next('subscribe'), refusal('UNAVAILABLE'));
    connection.prompt('p1');
    await listed(client, 1);
    const answered = client.confirmations.answer('p1', { proceed: true });
    const confirm = await connection.next('confirm');
    connection.reply(confirm, { type: 'confirmation_accepted', callback_id: 'p1' });
    await answered;
    expect((await connection.welcome()).channels).toEqual([{ channel: 'news' }]);
  });

  it('handles an acknowledged message again after a listener and onError have thrown', async () => {
    let heard = 0;
    const client = scripted.open({
      userId: 'ann',
      onError: () => {
        throw new Error('broken reporter');
      },
    });
    const { reportError } = globalThis as { reportError?: unknown };
    Object.assign(globalThis, { reportError: (error: Error) => scripted.errors.push(error.message) });
    client.on('letter', () => {
      heard += 1;
      if (heard === 1) throw new Error('broken listener');
    });
    const connection = await scripted.server.welcome();
    for (let shown = 0; shown < 2; shown += 1) {
      connection.send({ type: 'letter', message_id: 'm1', requires_ack: true });
      await caughtUp(client, connection);
    }
    expect(await connection.next('ack')).toMatchObject({ message_id: 'm1' });
    Object.assign(globalThis, { reportError });
    expect(scripted.errors).toEqual(['broken reporter']);
  });

  it('keeps a listener when an earlier one of the same type is stopped twice', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    const stop = client.on('n', () => undefined);
    stop();
    const heard = new Promise((resolve) => void client.on('n', resolve));
    stop();
    connection.send({ type: 'n' });
    await heard;
  });

  it('opens a connection of its own where the page may not share one', async () => {
    const { document, navigator, BroadcastChannel } = globalThis as Record<string, unknown>;
    const define = (values: Record<string, unknown>): void => {
      for (const [name, value] of Object.entries(values))
        Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    };
    const refused = new Error('a sandboxed frame');
    const Refusing = function (): void {
      throw refused;
    };
    define({ document: {}, navigator: { locks: {} }, BroadcastChannel: Refusing });
    try {
      scripted.open();
      await scripted.server.welcome();
      expect(scripted.errors).toEqual([refused]);
    } finally {
      define({ document, navigator, BroadcastChannel });
    }
  });

  it.each([1008, 1013])('does not come back sooner after %d because the network or the page wakes', async (code) => {
    const page = new EventTarget();
    const { addEventListener, removeEventListener } = globalThis as Partial<EventTarget>;
    Object.assign(globalThis, {
      addEventListener: page.addEventListener.bind(page),
      removeEventListener: page.removeEventListener.bind(page),
    });
    try {
      const client = scripted.open();
      const connection = await scripted.server.welcome();
      connection.socket.close(code);
      await new Promise<void>((resolve) => client.onState(({ status }) => status === 'waiting' && resolve()));
      page.dispatchEvent(new Event('online'));
      expect(client.state).toMatchObject({ status: 'waiting', code });
      client.close();
    } finally {
      Object.assign(globalThis, { addEventListener, removeEventListener });
    }
  });
});
