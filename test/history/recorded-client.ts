/**
 * Callers, answerers and devices that record what they do and what they get.
 */
import { Agent, request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import type { ConfirmationView } from '../../src/protocol/messages.js';
import type { Choice, InputSchema, JsonObject, OnTimeout } from '../../src/protocol/confirmation.js';
import { ConfirmationTimeoutError, NotificationError } from '../../src/notification/index.js';
import {
  sortedJson,
  toMs,
  verdictOf,
  verdictOfFrame,
  verdictOfView,
  type GivenAnswer,
  type Question,
  type Recorder,
} from './recorder.js';
import type { Node } from './sites/single-node.js';

export interface Asked {
  question: Question;
  userId: string;
  taskId: string;
  key?: string;
  /** `null`: for ever. */
  timeoutMs: number | null;
  /** Absent: the setting says it, which is `onTimeoutBySetting`. */
  onTimeout?: OnTimeout;
  onTimeoutBySetting: OnTimeout;
  choices?: Choice[];
  inputSchema?: InputSchema;
}

export interface Answer {
  proceed?: boolean;
  choice?: string;
  feedback?: string;
  values?: JsonObject;
}

/** A call ended without a result: a caller with a key asks again. */
export class LostCall extends Error {}

/** A call that asks or looks was refused; the message is the code. */
class RefusedCall extends Error {
  constructor(status: number, body: object) {
    super('code' in body ? String(body.code) : String(status));
  }
}

const STEP = { message: 'Go on?', status: 'waiting' };

export function effective(answer: Answer, choices: readonly Choice[] = []): GivenAnswer {
  const { choice = null, feedback = null, values } = answer;
  const proceed = choices.find(({ id }) => id === choice)?.proceed ?? answer.proceed ?? false;
  return { proceed, choice, feedback, values: sortedJson(values) };
}

/* ---- callers ---- */

/** Notes that a question is asked. @returns the call's number */
function beginAsk(recorder: Recorder, node: Node, asked: Asked, waits = true): number {
  const { question, userId, taskId, key, onTimeout, onTimeoutBySetting } = asked;
  const call = recorder.nextCall();
  recorder.record({
    kind: 'ask',
    call,
    node: node.name,
    question,
    userId,
    taskId,
    key,
    onTimeout: onTimeout ?? onTimeoutBySetting,
    onTimeoutBy: onTimeout === undefined ? 'setting' : 'caller',
    ...(!waits && { waits }),
  });
  return call;
}

/** `notifyUser`. @throws LostCall */
export async function askInProcess(recorder: Recorder, node: Node, asked: Asked, signal?: AbortSignal): Promise<void> {
  const { question, userId, taskId, key, timeoutMs, onTimeout, choices, inputSchema } = asked;
  if (!node.notifications) throw new TypeError('this node is in another process');
  const call = beginAsk(recorder, node, asked);
  try {
    const options = { key, timeoutMs, onTimeout, choices, inputSchema, signal };
    const result = await node.notifications.notifyUser(STEP, userId, taskId, question, options);
    recorder.record({ kind: 'ended', call, callbackId: result.callbackId, verdict: verdictOf(result), thrown: false });
  } catch (error) {
    if (error instanceof ConfirmationTimeoutError) {
      const { callbackId, outcome, proceed } = error;
      recorder.record({ kind: 'ended', call, callbackId, verdict: { outcome, proceed }, thrown: true });
      return;
    }
    recorder.record({ kind: 'failed', call, error: errorName(error) });
    throw new LostCall(errorName(error));
  }
}

/**
 * A worker in any language: opens by REST, then polls until it is decided.
 * @param onCreated called when the service has acknowledged that the prompt is stored
 * @throws LostCall
 */
export async function askByRest(
  recorder: Recorder,
  node: Node,
  asked: Asked,
  { wait = 30, onCreated = () => undefined }: { wait?: number; onCreated?: (callbackId: string, isNew: boolean) => void } = {},
): Promise<void> {
  const { question, userId, taskId, key, timeoutMs, onTimeout, choices, inputSchema } = asked;
  const call = beginAsk(recorder, node, asked, wait > 0);
  const body = {
    user_id: userId,
    task_id: taskId,
    step: question,
    step_result: STEP,
    timeout: timeoutMs === null ? null : timeoutMs / 1000,
    on_timeout: onTimeout,
    choices,
    input_schema: inputSchema,
  };
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
  try {
    let { status, view } = await rest(node, 'POST', '/ws/confirmations', body, headers);
    if (status !== 201 && status !== 200) throw new RefusedCall(status, view);
    recorder.record({ kind: 'created', call, callbackId: view.callback_id });
    onCreated(view.callback_id, status === 201);
    while (wait > 0 && view.state === 'pending') {
      ({ status, view } = await rest(node, 'GET', `/ws/confirmations/${view.callback_id}?wait=${wait}`));
      if (status !== 200) throw new RefusedCall(status, view);
    }
    const verdict = verdictOfView(view);
    if (verdict && wait > 0) recorder.record({ kind: 'ended', call, callbackId: view.callback_id, verdict });
  } catch (error) {
    recorder.record({ kind: 'failed', call, error: errorName(error) });
    throw new LostCall(errorName(error));
  }
}

/* ---- answerers by REST ---- */

export async function answerByRest(
  recorder: Recorder,
  node: Node,
  callbackId: string,
  answer: Answer,
  counts: GivenAnswer | null,
): Promise<boolean> {
  const call = recorder.nextCall();
  recorder.record({ kind: 'answer', call, node: node.name, callbackId, by: null, answer: counts });
  return settleByRest(recorder, call, () => rest(node, 'POST', `/ws/confirmations/${callbackId}/answer`, answer));
}

export async function withdrawByRest(recorder: Recorder, node: Node, callbackId: string): Promise<boolean> {
  const call = recorder.nextCall();
  recorder.record({ kind: 'withdraw', call, node: node.name, callbackId });
  return settleByRest(recorder, call, () => rest(node, 'DELETE', `/ws/confirmations/${callbackId}`));
}

export async function cancelByRest(recorder: Recorder, node: Node, taskId: string, userId: string): Promise<boolean> {
  const call = recorder.nextCall();
  recorder.record({ kind: 'cancel', call, node: node.name, taskId });
  return settleByRest(recorder, call, () => rest(node, 'POST', `/ws/tasks/${taskId}/cancel`, { user_id: userId }));
}

async function settleByRest(
  recorder: Recorder,
  call: number,
  send: () => Promise<{ status: number; view: ConfirmationView }>,
): Promise<boolean> {
  try {
    const { status, view } = await send();
    if (status < 300) {
      recorder.record({ kind: 'accepted', call });
      return true;
    }
    const { code, confirmation } = view as unknown as { code: string; confirmation?: ConfirmationView };
    if (code === 'UNAVAILABLE') recorder.record({ kind: 'failed', call, error: 'ServiceClosedError' });
    else recorder.record({ kind: 'refused', call, code, verdict: confirmation && verdictOfView(confirmation) });
  } catch (error) {
    recorder.record({ kind: 'failed', call, error: errorName(error) });
  }
  return false;
}

/* ---- looking ---- */

export async function readByRest(recorder: Recorder, node: Node, callbackId: string): Promise<ConfirmationView | undefined> {
  const call = recorder.nextCall();
  recorder.record({ kind: 'read', call, node: node.name, callbackId });
  try {
    const { status, view } = await rest(node, 'GET', `/ws/confirmations/${callbackId}`);
    if (status === 404) {
      recorder.record({ kind: 'found', call, state: 'missing' });
      return undefined;
    }
    if (status !== 200) throw new RefusedCall(status, view);
    const verdict = verdictOfView(view);
    const expiresAt = view.expires_at === null ? null : toMs(view.expires_at);
    recorder.record({ kind: 'found', call, state: verdict ? 'decided' : 'pending', question: view.step, expiresAt, verdict });
    return view;
  } catch (error) {
    recorder.record({ kind: 'failed', call, error: errorName(error) });
    return undefined;
  }
}

/** Reads a user's inbox of pending prompts to its end. */
export async function listByRest(recorder: Recorder, node: Node, userId: string): Promise<ConfirmationView[]> {
  const found: ConfirmationView[] = [];
  let cursor: string | undefined;
  do {
    const call = recorder.nextCall();
    recorder.record({ kind: 'list', call, node: node.name });
    const query = `state=pending&limit=1000${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const { view } = await rest(node, 'GET', `/ws/users/${userId}/confirmations?${query}`);
    const page = view as unknown as { confirmations: ConfirmationView[]; cursor?: string };
    recorder.record({ kind: 'listed', call, callbackIds: page.confirmations.map(({ callback_id }) => callback_id) });
    found.push(...page.confirmations);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

function rest(
  node: Node,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; view: ConfirmationView }> {
  const text = body && JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new LostCall('connection lost'));
    const request = httpRequest(
      node.url + path,
      { method, agent, headers: { ...(text && { 'content-type': 'application/json' }), ...headers } },
      (response) => {
        let received = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (received += chunk));
        response.on('error', lost);
        response.on('end', () => {
          if (!response.complete) return lost();
          resolve({ status: response.statusCode ?? 0, view: JSON.parse(received) as ConfirmationView });
        });
      },
    );
    request.on('error', () => {
      // An idle connection was closed by the server just when it was used again: nothing was carried out. Others may be, too.
      if (request.reusedSocket) resolve(rest(node, method, path, body, headers));
      else lost();
    });
    request.end(text);
  });
}

/** `fetch` costs several times as much, and the service under test shares the processor. */
const agent = new Agent({ keepAlive: true });

function errorName(error: unknown): string {
  if (error instanceof LostCall) return error.message;
  if (error instanceof NotificationError) return error.name;
  // By REST a stopping service and an engine that is away look alike.
  if (error instanceof RefusedCall) return error.message === 'UNAVAILABLE' ? 'ServiceClosedError' : error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/* ---- devices ---- */

export interface PromptFrame {
  callback_id: string;
  user_id: string;
  task_id: string;
  step: number;
  expires_at: number | null;
  redelivered: boolean;
  choices?: Choice[];
}

type Frame = Record<string, unknown> & { type: string };

/** A WebSocket of a user, or of nobody, that notes every frame as it comes. */
export class Device {
  readonly closed: Promise<void>;
  onPrompt: (prompt: PromptFrame) => void = () => undefined;
  /** Called for each decision that the service sends by itself. */
  onResolved: (callbackId: string) => void = () => undefined;
  private readonly replies = new Map<number, { note(frame: Frame | undefined): void; resolve(frame?: Frame): void }>();
  private requests = 0;
  /** What a user's device was shown before it was known to be the user's: an answer then is anonymous. */
  private early: PromptFrame[] | undefined;

  private constructor(
    private readonly recorder: Recorder,
    private readonly node: Node,
    private readonly socket: WebSocket,
    readonly connection: number,
    readonly userId: string | null,
  ) {
    if (userId !== null) this.early = [];
    socket.on('message', (data: Buffer) => this.take(JSON.parse(data.toString()) as Frame));
    socket.on('error', () => undefined); // a reset ends in 'close'
    this.closed = new Promise((resolve) =>
      socket.once('close', (code) => {
        recorder.record({ kind: 'closed', connection, code });
        for (const [number, { note, resolve: settle }] of this.replies) {
          this.replies.delete(number);
          note(undefined);
          settle();
        }
        resolve();
      }),
    );
  }

  /** @throws LostCall when the node takes nobody */
  static async connect(
    recorder: Recorder,
    node: Node,
    userId: string | null,
    onPrompt: (prompt: PromptFrame, device: Device) => void = () => undefined,
  ): Promise<Device> {
    const connection = recorder.nextConnection();
    recorder.record({ kind: 'connect', connection, node: node.name, userId });
    const socket = new WebSocket(`${node.wsUrl}/ws`);
    const device = new Device(recorder, node, socket, connection, userId);
    device.onPrompt = (prompt) => onPrompt(prompt, device);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('close', () => reject(new LostCall('connection lost')));
    });
    if (userId === null) await device.listPending();
    else if (!(await device.subscribe())) {
      await device.leave();
      throw new LostCall('not subscribed');
    }
    return device;
  }

  /** Says who it is; what is pending is named in the reply, and follows. */
  async subscribe(): Promise<boolean> {
    const call = this.recorder.nextCall();
    this.recorder.record({ kind: 'list', call, node: this.node.name, connection: this.connection });
    const reply = await this.request({ action: 'subscribe', user_id: this.userId }, (frame) =>
      this.listed(call, frame, (frame?.['pending'] as string[] | undefined) ?? []),
    );
    return reply?.type === 'subscription_confirmed';
  }

  /** Asks what is pending: a page of it. */
  async listPending(): Promise<void> {
    const call = this.recorder.nextCall();
    this.recorder.record({ kind: 'list', call, node: this.node.name, connection: this.connection });
    await this.request({ action: 'pending', limit: 1000 }, (frame) => {
      const prompts = (frame?.['confirmations'] as PromptFrame[] | undefined) ?? [];
      this.listed(
        call,
        frame,
        prompts.map(({ callback_id }) => callback_id),
      );
      for (const prompt of prompts) this.onPrompt(prompt);
    });
  }

  /** @returns whether it was accepted */
  async answer(callbackId: string, answer: Answer, counts: GivenAnswer | null): Promise<boolean> {
    const call = this.recorder.nextCall();
    const { node, connection, userId } = this;
    this.recorder.record({ kind: 'answer', call, node: node.name, connection, callbackId, by: userId, answer: counts });
    const reply = await this.request({ action: 'confirm', callback_id: callbackId, ...answer }, (frame) =>
      this.settled(call, frame),
    );
    return reply?.type === 'confirmation_accepted';
  }

  async cancel(taskId: string, userId: string): Promise<void> {
    const call = this.recorder.nextCall();
    this.recorder.record({ kind: 'cancel', call, node: this.node.name, connection: this.connection, taskId });
    await this.request({ action: 'cancel', user_id: userId, task_id: taskId }, (frame) => this.settled(call, frame));
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Goes away. */
  async leave(): Promise<void> {
    this.recorder.record({ kind: 'leave', connection: this.connection });
    this.socket.close();
    await this.closed;
  }

  /** The end of the test. */
  cut(): void {
    this.recorder.record({ kind: 'leave', connection: this.connection });
    this.socket.terminate();
  }

  private settled(call: number, frame: Frame | undefined): void {
    if (!frame) return this.recorder.record({ kind: 'failed', call, error: 'connection lost' });
    if (frame.type !== 'error') return this.recorder.record({ kind: 'accepted', call });
    const { code, confirmation } = frame as unknown as { code: string; confirmation?: ConfirmationView };
    if (code === 'UNAVAILABLE') return this.recorder.record({ kind: 'failed', call, error: 'ServiceClosedError' });
    this.recorder.record({ kind: 'refused', call, code, verdict: confirmation && verdictOfView(confirmation) });
  }

  private listed(call: number, frame: Frame | undefined, callbackIds: string[]): void {
    if (!frame) this.recorder.record({ kind: 'failed', call, error: 'connection lost' });
    else if (frame.type === 'error') {
      const closing = frame['code'] === 'UNAVAILABLE';
      this.recorder.record({ kind: 'failed', call, error: closing ? 'ServiceClosedError' : String(frame['code']) });
    } else this.recorder.record({ kind: 'listed', call, callbackIds });
  }

  private request(frame: object, note: (reply: Frame | undefined) => void): Promise<Frame | undefined> {
    return new Promise((resolve) => {
      if (!this.isOpen) {
        note(undefined);
        return resolve(undefined);
      }
      const request_id = ++this.requests;
      this.replies.set(request_id, { note, resolve });
      this.socket.send(JSON.stringify({ ...frame, request_id }));
    });
  }

  private take(frame: Frame): void {
    const requestId = frame['request_id'] as number | undefined;
    const waiting = requestId === undefined ? undefined : this.replies.get(requestId);
    if (waiting && requestId !== undefined) {
      this.replies.delete(requestId);
      waiting.note(frame);
      waiting.resolve(frame);
      if (frame.type === 'subscription_confirmed') {
        for (const prompt of this.early ?? []) this.onPrompt(prompt);
        this.early = undefined;
      }
    } else if (frame.type === 'task_step_result') {
      const prompt = frame as unknown as PromptFrame;
      const expiresAt = prompt.expires_at === null ? null : toMs(prompt.expires_at);
      const { connection } = this;
      this.recorder.record({ kind: 'shown', connection, callbackId: prompt.callback_id, question: prompt.step, expiresAt });
      if (this.early) this.early.push(prompt);
      else this.onPrompt(prompt);
    } else if (frame.type === 'confirmation_resolved') {
      const { connection } = this;
      const callbackId = String(frame['callback_id']);
      this.recorder.record({ kind: 'observed', observer: 'connection', connection, callbackId, verdict: verdictOfFrame(frame) });
      this.onResolved(callbackId);
    }
  }
}
