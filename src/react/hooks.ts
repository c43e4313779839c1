/** Hooks over the client's stores. Each re-renders only when what it returns has changed. */
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { AlreadyResolvedError, ClientClosedError } from '../client/index.js';
import type { ConnectionState, GivenAnswer, Message, OpenConfirmation } from '../client/index.js';
import { useNotificationClient } from './provider.js';

const NONE: readonly OpenConfirmation[] = [];
const CONNECTING: ConnectionState = { status: 'connecting' };
const nothing = (): void => undefined;

/** @throws Error on the server, before the first effect, and outside of a provider: nothing would be sent */
function present<Client>(client: Client | undefined): Client {
  if (!client) throw new Error('there is no client yet: is there a NotificationProvider?');
  return client;
}

/** What the user is being asked, oldest first. */
export function useConfirmations(): readonly OpenConfirmation[] {
  const store = useNotificationClient()?.confirmations;
  return useSyncExternalStore(
    store?.subscribe ?? (() => nothing),
    () => store?.getSnapshot() ?? NONE,
    () => NONE,
  );
}

export interface ConfirmationHook {
  /** `undefined` while it is not open: not yet, or not any more. */
  confirmation: OpenConfirmation | undefined;
  /** Milliseconds until its deadline by the server's clock, read once a second; `Infinity` without one. */
  remainingMs: number;
  /** @throws as `client.confirmations.answer` does; Error without a client */
  answer(answer: GivenAnswer): Promise<void>;
  /** Hides it on this user's devices. @param until Unix milliseconds. @throws as `answer` */
  dismiss(until?: number): Promise<void>;
}

/**
 * One open confirmation, with its countdown and what can be done with it. Says to the server that it was shown; `onError`
 * of the client gets a refusal.
 */
export function useConfirmation(callbackId: string): ConfirmationHook {
  const client = useNotificationClient();
  const confirmation = useConfirmations().find(({ callback_id }) => callback_id === callbackId);
  const isOpen = confirmation !== undefined;
  const hasDeadline = isOpen && confirmation.expires_at !== null;
  const [, tick] = useState(0);
  useEffect(() => {
    if (!hasDeadline) return;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [hasDeadline]);
  useEffect(() => {
    if (!client || !isOpen) return;
    client.confirmations.seen(callbackId).catch((error: unknown) => {
      // A decision, or the end of the client, may overtake it. A refusal is an error that nobody awaits.
      if (!(error instanceof AlreadyResolvedError || error instanceof ClientClosedError)) client.report(error);
    });
  }, [client, callbackId, isOpen]);
  const answer = useCallback(
    async (given: GivenAnswer) => present(client).confirmations.answer(callbackId, given),
    [client, callbackId],
  );
  const dismiss = useCallback(
    async (until?: number) => present(client).confirmations.dismiss(callbackId, until),
    [client, callbackId],
  );
  return { confirmation, remainingMs: confirmation && client ? client.remainingMs(confirmation) : Infinity, answer, dismiss };
}

export interface TaskHook {
  /** As the application sent it last. */
  progress: unknown;
  /** The text beside the progress. */
  message: string | undefined;
  /** Unix milliseconds at which the task last gave a sign: progress, heartbeat or message. */
  activeAt: number | undefined;
  isCancelled: boolean;
  /** The task's last message that is neither progress nor heartbeat. */
  last: Message | undefined;
  /** @throws ServerError, ClientClosedError, Error without a client */
  cancel(reason?: string): Promise<void>;
}

type TaskState = Omit<TaskHook, 'cancel'>;

const NO_TASK: TaskState = { progress: undefined, message: undefined, activeAt: undefined, isCancelled: false, last: undefined };

/** Subscribes to a task while mounted: its progress, its messages, and whether it is cancelled. */
export function useTask(taskId: string): TaskHook {
  const client = useNotificationClient();
  const [state, setState] = useState(NO_TASK);
  useEffect(() => {
    setState(NO_TASK);
    return client?.task(taskId, (frame) => setState((known) => ({ ...known, ...changeBy(frame), activeAt: Date.now() })));
  }, [client, taskId]);
  const cancel = useCallback(async (reason?: string) => present(client).cancel(taskId, reason), [client, taskId]);
  return { ...state, cancel };
}

function changeBy(frame: Message): Partial<TaskState> {
  switch (frame.type) {
    case 'heartbeat':
      return {};
    case 'task_progress':
      return { progress: frame['progress'], message: frame['message'] as string | undefined };
    case 'task_cancelled':
      return { isCancelled: true };
    default:
      return { last: frame };
  }
}

/** Whether the client is connected, and if not, why and when it tries again. */
export function useConnectionState(): ConnectionState {
  const client = useNotificationClient();
  const subscribe = useCallback((listener: () => void) => client?.onState(listener) ?? nothing, [client]);
  return useSyncExternalStore(
    subscribe,
    () => client?.state ?? CONNECTING,
    () => CONNECTING,
  );
}
