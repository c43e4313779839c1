/** Hooks for React 18 and 19. They render on the server as before the first connection. */
'use client';

export { useConfirmation, useConfirmations, useConnectionState, useTask, type ConfirmationHook, type TaskHook } from './hooks.js';
export { NotificationProvider, useNotificationClient, type NotificationProviderProps } from './provider.js';
