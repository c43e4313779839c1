/** Clients written for the old component work unmodified: its documentation's example, and rxjs' webSocket(). */
import { filter, firstValueFrom, Subject } from 'rxjs';
import { webSocket, type WebSocketSubjectConfig } from 'rxjs/webSocket';
import { CheckedSocket } from '../support/checked-socket.js';
import { startService, type TestService } from '../support/service.js';

interface Message {
  type: string;
  callback_id?: string;
}

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

it('the example of the old documentation pings and confirms what it is shown, at the bare address', async () => {
  const ws = new CheckedSocket(`ws://127.0.0.1:${service.port}`);
  let onPong: () => void = () => undefined;
  const pong = new Promise<void>((resolve) => (onPong = resolve));
  ws.onmessage = (event) => {
    const data = JSON.parse(String(event.data)) as Message;
    if (data.type === 'pong') onPong();
    if (data.type === 'task_step_result')
      ws.send(JSON.stringify({ action: 'confirm', callback_id: data.callback_id, proceed: true, feedback: 'Looks good' }));
  };
  await new Promise<void>((resolve) => (ws.onopen = () => resolve()));
  ws.send(JSON.stringify({ action: 'ping', timestamp: Date.now() }));
  await pong;
  const result = await service.notifications.notifyUser(
    { step: 'extract', message: 'Step 1 is done', status: 'success', result: {} },
    'user123',
    'task456',
    1,
  );
  expect(result).toMatchObject({ proceed: true, feedback: 'Looks good' });
  ws.close();
});

it('rxjs’ webSocket() subscribes, sees and answers', async () => {
  const socket = webSocket<Message | object>({
    url: `${service.wsUrl}/ws`,
    WebSocketCtor: CheckedSocket as unknown as WebSocketSubjectConfig<object>['WebSocketCtor'],
  });
  const prompts = new Subject<Message>();
  const subscription = socket
    .pipe(filter((message): message is Message => (message as Message).type === 'task_step_result'))
    .subscribe(prompts);
  const prompt = firstValueFrom(prompts);
  socket.next({ action: 'subscribe', user_id: 'rx' });
  const asked = service.notifications.notifyUser({ message: '?' }, 'rx', 'task', 1);
  socket.next({ action: 'confirm', callback_id: (await prompt).callback_id, proceed: true });
  expect((await asked).proceed).toBe(true);
  subscription.unsubscribe();
});
