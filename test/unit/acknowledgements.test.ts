import type { Broker } from '../../src/notification/engine/broker.js';
import { NotificationMetrics } from '../../src/notification/notification.metrics.js';
import { Pacing } from '../../src/notification/pacing/pacing.js';
import { Acknowledgements } from '../../src/notification/subscription/acknowledgements.js';
import { Publisher } from '../../src/notification/subscription/publisher.js';
import { TestClock } from '../../src/testing/test-clock.js';

describe('the wait for an acknowledgement', () => {
  it('has its whole time after the message is stored, however long that takes', async () => {
    const clock = new TestClock();
    const broker = {
      sendAcknowledged: async ({ messageId }: { messageId: string }) => {
        clock.advanceBy(60);
        setImmediate(() => acknowledgements.onAcknowledged(messageId));
        return { deliveredTo: 1 };
      },
      isAcknowledged: async () => false,
    } as unknown as Broker;
    const acknowledgements = new Acknowledgements(broker, clock);
    const metrics = new NotificationMetrics();
    const publisher = new Publisher(broker, { retentionMs: 60_000 }, acknowledgements, metrics, new Pacing());
    const delivery = await publisher.toUser('ann', { type: 'news' }, { requiresAck: true, ackTimeoutMs: 20 });
    expect(delivery).toMatchObject({ acknowledged: true });
  });
});
