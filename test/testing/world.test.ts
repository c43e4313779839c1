/** The test kit: what a person is shown, and the promises of confirmations over time and crashes. */
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  AlreadyResolvedError,
  InvalidAnswerError,
  InvalidMessageError,
  NotificationModule,
  NotificationService,
  type ConfirmationResult,
  type NotifyUserOptions,
} from '../../src/notification/index.js';
import { Human, TestClock, World } from '../../src/testing/index.js';

@Injectable()
class Deploys {
  constructor(private readonly notifications: NotificationService) {}

  ask(options: NotifyUserOptions = {}, taskId = 'deploy-1'): Promise<ConfirmationResult> {
    return this.notifications.notifyUser({ message: 'Deploy?' }, 'ann', taskId, 1, options);
  }
}

// A drain of two devices would take five minutes: a world's end takes none.
@Module({ imports: [NotificationModule.forRoot({ dataDir: '/does/not/exist', drainTimeoutMs: 600_000 })], providers: [Deploys] })
class AppModule {}

const choices = [
  { id: 'go', label: 'Deploy', proceed: true },
  { id: 'stop', label: 'Stop', proceed: false },
];
const world = new World(() => Test.createTestingModule({ imports: [AppModule] }));
afterEach(() => world.close());

describe('a human', () => {
  it('answers with a choice, and the asker learns who did', async () => {
    const app = await world.start();
    const ann = await Human.of(app, 'ann');
    const asked = app.get(Deploys).ask({ choices });
    expect(await ann.answersNext({ choice: 'go' })).toMatchObject({ task_id: 'deploy-1', message: 'Deploy?' });
    expect(await asked).toMatchObject({ proceed: true, choice: 'go', answeredBy: 'ann', via: 'websocket' });
  });

  it('is refused an answer that the prompt does not allow, and may answer again', async () => {
    const app = await world.start();
    const ann = await Human.of(app, 'ann');
    const asked = app.get(Deploys).ask({ choices });
    await expect(ann.answersNext({ choice: 'maybe' })).rejects.toThrow(InvalidAnswerError);
    await ann.answersNext({ choice: 'stop' });
    expect(await asked).toMatchObject({ proceed: false });
  });

  it('answers an irreversible prompt without naming its digest', async () => {
    const app = await world.start();
    const asked = app.get(Deploys).ask({ risk: 'irreversible', onTimeout: 'abort' });
    await (await Human.of(app, 'ann')).answersNext({ proceed: true });
    expect(await asked).toMatchObject({ proceed: true });
  });

  it('is shown on connecting what was asked before, and only what is theirs', async () => {
    const app = await world.start();
    const asked = app.get(Deploys).ask();
    await (await Human.of(app, 'ann')).shown('deploy-1');
    const later = await Human.of(app, 'ann');
    expect(await later.shown('deploy-1')).toMatchObject({ redelivered: true });
    const bob = await Human.of(app, 'bob');
    await app.get(NotificationService).broadcastMessage({ type: 'note' });
    await bob.receives('note');
    expect(bob.messages.map(({ type }) => type)).toEqual(['note']);
    await later.answersNext({ proceed: true });
    await asked;
  });

  it('is asked the next prompt after ignoring one', async () => {
    const app = await world.start();
    const ann = await Human.of(app, 'ann');
    const [first, second] = [app.get(Deploys).ask({}, 'one'), app.get(Deploys).ask({}, 'two')];
    expect(await ann.ignores()).toMatchObject({ task_id: 'one' });
    await ann.answersNext({ proceed: true });
    expect(await second).toMatchObject({ outcome: 'answered' });
    await ann.cancels('one', 'no need');
    expect(await first).toMatchObject({ outcome: 'cancelled', proceed: false });
  });

  it('decides nothing by dismissing a prompt, and is warned before its deadline', async () => {
    const app = await world.start();
    const ann = await Human.of(app, 'ann');
    const asked = app.get(Deploys).ask({ timeoutMs: 3_600_000 });
    const { callback_id: callbackId } = await ann.dismisses();
    expect(await (await Human.of(app, 'ann')).shown('deploy-1')).toMatchObject({
      callback_id: callbackId,
      dismissed_until: expect.any(Number) as number,
    });
    const answered = ann.answersNext({ proceed: true });
    await world.clock.advance('50m');
    expect(await answered).toMatchObject({ callback_id: callbackId });
    expect(await asked).toMatchObject({ outcome: 'answered', proceed: true });
  });

  it('dismisses a prompt by the world’s clock, and is asked again when the dismissal has ended', async () => {
    const app = await world.start();
    await world.clock.advance('30d');
    const ann = await Human.of(app, 'ann');
    const asked = app.get(Deploys).ask({ timeoutMs: null });
    await expect(ann.dismisses(world.clock.now() + 59_000)).rejects.toThrow(InvalidMessageError);
    await ann.dismisses(world.clock.now() + 3_600_000);
    const answered = ann.answersNext({ proceed: true });
    await world.clock.advance('59m');
    expect(await app.get(NotificationService).getStatus()).toMatchObject({ pendingCallbacks: 1 });
    await world.clock.advance('1m');
    await answered;
    expect(await asked).toMatchObject({ outcome: 'answered', proceed: true });
  });

  it('decides once on two devices, and the other device learns of it', async () => {
    const app = await world.start();
    const [phone, laptop] = [await Human.of(app, 'ann'), await Human.of(app, 'ann')];
    const asked = app.get(Deploys).ask();
    const { callback_id: callbackId } = await laptop.shown('deploy-1');
    await phone.answersNext({ proceed: false });
    expect(await laptop.receives('confirmation_resolved')).toMatchObject({ callback_id: callbackId, proceed: false });
    expect(await asked).toMatchObject({ proceed: false });
    const late = app.get(NotificationService).answer(callbackId, { userId: 'bob' }, { proceed: true });
    await expect(late).rejects.toThrow(AlreadyResolvedError);
  });
});

describe('the clock of a world', () => {
  it('applies each deadline when it passes, so that a setting’s default counts', async () => {
    const app = await world.start();
    const asked = app.get(Deploys).ask({ timeoutMs: 60_000 });
    const ann = await Human.of(app, 'ann');
    await ann.shown('deploy-1');
    await world.clock.advance('59s');
    expect(await ann.receives('confirmation_expiring')).toBeDefined();
    await world.clock.advance('2d');
    expect(await asked).toMatchObject({ outcome: 'timed_out', proceed: true });
  });

  it('sends heartbeats at their times', async () => {
    const app = await world.start();
    const ann = await Human.of(app, 'ann');
    const heartbeat = app.get(NotificationService).sendHeartbeat('ann', 'deploy-1', 30);
    await world.clock.advance('5m');
    heartbeat.stop();
    await world.clock.advance('1h');
    expect(ann.messages.filter(({ type }) => type === 'heartbeat')).toHaveLength(11);
  });

  it('begins when a test says so, and refuses what is no duration', async () => {
    const clock = new TestClock(Date.UTC(2030, 0, 1));
    await clock.advance('90s');
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1, 0, 1, 30));
    await expect(clock.advance('soon' as never)).rejects.toThrow(TypeError);
  });
});

describe('a world that crashes', () => {
  it('keeps a prompt, its deadline and its key', async () => {
    const app = await world.start();
    void app.get(Deploys).ask({ key: 'k', timeoutMs: 3_600_000, onTimeout: 'abort' });
    const before = await (await Human.of(app, 'ann')).shown('deploy-1');
    await world.crash();
    await world.clock.advance('10m');
    const restarted = await world.restart();
    const asked = restarted.get(Deploys).ask({ key: 'k', timeoutMs: 3_600_000, onTimeout: 'abort' });
    const after = await (await Human.of(restarted, 'ann')).shown('deploy-1');
    expect(after).toMatchObject({ callback_id: before.callback_id, expires_at: before.expires_at, redelivered: true });
    await world.clock.advance('50m');
    expect(await asked).toMatchObject({ outcome: 'timed_out', proceed: false });
  });

  it('keeps an answer that was given before the crash', async () => {
    const app = await world.start();
    const asked = app.get(Deploys).ask({ key: 'k' });
    await (await Human.of(app, 'ann')).answersNext({ proceed: true, feedback: 'yes' });
    await asked;
    await world.crash();
    expect(await (await world.restart()).get(Deploys).ask({ key: 'k' })).toMatchObject({ proceed: true, feedback: 'yes' });
  });

  it.each([
    ['only a setting’s default of proceed does not count', undefined, false],
    ['the caller’s own default of proceed counts', 'proceed', true],
  ] as const)('applies deadlines that passed meanwhile: %s', async (_rule, onTimeout, proceed) => {
    const app = await world.start();
    void app.get(Deploys).ask({ key: 'k', timeoutMs: 60_000, onTimeout });
    await (await Human.of(app, 'ann')).shown('deploy-1');
    await world.crash();
    await world.clock.advance('1h');
    const restarted = await world.restart();
    expect(await restarted.get(Deploys).ask({ key: 'k', onTimeout })).toMatchObject({ outcome: 'timed_out', proceed });
  });

  it('starts again after a start that failed', async () => {
    let fails = true;
    const failing = {
      provide: 'failing',
      useValue: {
        onApplicationBootstrap: () => {
          if (fails) throw new Error('not yet');
        },
      },
    };
    const other = new World(() => Test.createTestingModule({ imports: [AppModule], providers: [failing] }));
    await expect(other.start()).rejects.toThrow('not yet');
    fails = false;
    const app = await other.start();
    const asked = app.get(Deploys).ask();
    await (await Human.of(app, 'ann')).answersNext({ proceed: true });
    expect(await asked).toMatchObject({ proceed: true });
    await other.close();
  });
});
