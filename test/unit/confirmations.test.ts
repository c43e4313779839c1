/** Asking while the engine fails. */
import { CallbackRegistry } from '../../src/notification/confirmation/callback-registry.js';
import { Confirmations } from '../../src/notification/confirmation/confirmations.js';
import type { Confirmation, ConfirmationStore, Decided, OpenRequest } from '../../src/notification/engine/confirmation-store.js';
import { ConfirmationLostError, EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { resolveOptions } from '../../src/notification/notification.options.js';
import { nextTurn } from '../support/fake-connection.js';

const question = { stepResult: { message: 'Go?' }, userId: 'ann', taskId: 'task', step: 1 };

/** Confirmations over a store with these parts. */
function over(store: Partial<ConfirmationStore>): Confirmations {
  return new Confirmations(store as ConfirmationStore, new CallbackRegistry(), resolveOptions({}));
}

const pending = ({ callbackId, userId, taskId, step, prompt }: OpenRequest): Confirmation => ({
  ...{ callbackId, userId, taskId, step, prompt },
  ...{ state: 'pending', createdAt: 0, expiresAt: null, onTimeout: 'abort' },
});

describe('confirmations', () => {
  it('reads every prompt that is waited for after a gap, also when the engine fails at one of them', async () => {
    let reads = 0;
    const confirmations = over({
      open: async (request) => ({ created: true, confirmation: pending(request) }),
      get: async () => {
        reads += 1;
        if (reads === 1) throw new EngineUnavailableError();
        return undefined;
      },
    });
    const asking = [confirmations.ask(question), confirmations.ask(question)];
    const lost = Promise.all(asking.map((ask) => expect(ask).rejects.toThrow(ConfirmationLostError)));
    await nextTurn();
    await confirmations.reread();
    await lost;
    confirmations.close();
  });

  it('withdraws a prompt that may be stored although the call failed, but none with a key', async () => {
    const withdrawn: unknown[] = [];
    let done!: () => void;
    const finished = new Promise<void>((resolve) => (done = resolve));
    let isAway = true;
    const confirmations = over({
      open: async () => Promise.reject(new EngineUnavailableError()),
      withdraw: async ({ callbackId: _id, ...request }) => {
        if (isAway) {
          isAway = false;
          throw new EngineUnavailableError();
        }
        withdrawn.push(request);
        done();
        return { status: 'accepted', confirmation: {} as Decided };
      },
    });
    for (const key of ['a', undefined])
      await expect(confirmations.ask({ ...question, key })).rejects.toThrow(EngineUnavailableError);
    await finished;
    await nextTurn();
    expect(withdrawn).toEqual([{ openedFor: 'ann', scope: 'all', reason: 'the call that asked has failed' }]);
    confirmations.close();
  });

  it('do not wait with a signal that is aborted already', async () => {
    const confirmations = over({ get: async () => pending({ ...question, callbackId: 'a' } as unknown as OpenRequest) });
    expect(await confirmations.wait('a', 'all', 60_000, AbortSignal.abort())).toMatchObject({ state: 'pending' });
    confirmations.close();
  }, 5000);
});
