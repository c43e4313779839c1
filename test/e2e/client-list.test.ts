/** The list of open confirmations, where the server’s messages cross each other. */
import { caughtUp, listed, ScriptedClients } from '../support/scripted-clients.js';

const USER = 'user:ann';

describe('the list of open confirmations', () => {
  const scripted = new ScriptedClients();

  it('keeps what was shown while the reply to subscribe was under way, and removes only what was there before', async () => {
    const client = scripted.open();
    const first = await scripted.server.welcome();
    for (const id of ['decided', 'open']) first.prompt(id, { timestamp: 1 });
    await listed(client, 2);
    first.socket.terminate();
    const again = await scripted.server.next();
    const frame = await again.next('subscribe');
    again.prompt('new', { timestamp: 2 });
    again.reply(frame, {
      type: 'subscription_confirmed',
      subscriptions: [{ channel: USER, epoch: 'e', offset: 0, pending: ['open'] }],
    });
    await caughtUp(client, again);
    expect(client.confirmations.getSnapshot().map(({ callback_id }) => callback_id)).toEqual(['open', 'new']);
    again.prompt('decided', { timestamp: 3 }); // it was not decided after all
    await listed(client, 3);
  });

  it('takes over what a redelivered prompt says, and keeps what this client does with it', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    for (const id of ['p1', 'p2', 'p3']) connection.prompt(id);
    await listed(client, 3);
    client.confirmations.answer('p1', { proceed: true }).catch(() => undefined);
    client.confirmations.dismiss('p3').catch(() => undefined);
    const until = Date.now() / 1000 + 100;
    connection.prompt('p1', { redelivered: true, message: 'Go on now?' });
    connection.prompt('p2', { redelivered: true, dismissed_until: until });
    connection.prompt('p3', { redelivered: true });
    await caughtUp(client, connection);
    expect(client.confirmations.getSnapshot()).toMatchObject([{ callback_id: 'p1', message: 'Go on now?', answering: true }]);
    expect(client.confirmations.getDismissed().map(({ callback_id }) => callback_id)).toEqual(['p2', 'p3']);
    const dismiss = await connection.next('dismiss');
    connection.reply(dismiss, { type: 'dismissed', callback_id: 'p3', dismissed_until: until });
    await caughtUp(client, connection);
    expect(client.confirmations.getDismissed()).toMatchObject([{ dismissed_until: until }, { dismissed_until: until }]);
  });

  it('knows that a confirmation expires soon when it comes after the warning', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    const now = Date.now() / 1000;
    connection.prompt('early', { timestamp: now - 70, expires_at: now + 30 });
    connection.prompt('late', { timestamp: now - 85, expires_at: now + 15 });
    connection.prompt('for ever', { timestamp: now - 99, expires_at: null });
    const list = await listed(client, 3);
    expect(list.filter(({ expiring }) => expiring).map(({ callback_id }) => callback_id)).toEqual(['late']);
  });

  it('calls its listeners once for what changes together', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    for (let number = 0; number < 100; number += 1) connection.prompt(`p${number}`);
    await listed(client, 100);
    let calls = 0;
    client.confirmations.subscribe(() => (calls += 1));
    for (const { callback_id } of client.confirmations.getSnapshot())
      client.confirmations.answer(callback_id, { proceed: true }).catch(() => undefined);
    expect(client.confirmations.getSnapshot().every(({ answering }) => answering)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls).toBe(1);
  });
});
