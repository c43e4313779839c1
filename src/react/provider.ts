/** One client for a tree of components. On the server, and until the first effect, there is none. */
import { createContext, createElement, useContext, useEffect, useState, type ReactElement, type ReactNode } from 'react';
import { connect, type ClientOptions, type NotificationClient } from '../client/index.js';

const ClientContext = createContext<NotificationClient | undefined>(undefined);

export interface NotificationProviderProps {
  /** `wss://host/ws`. A change of `url` or of `options.userId` opens a new connection. */
  url?: string;
  /**
   * Read when the provider connects. Where users may log out and others log in, give `userId` beside `token`: a token alone
   * does not show that the user has changed.
   */
  options?: ClientOptions;
  /** A client of the application's own, which the provider does not close. */
  client?: NotificationClient;
  children?: ReactNode;
}

/**
 * Connects while it is mounted, or passes the given client on.
 *
 * @example
 * <NotificationProvider url="wss://example.org/ws" options={{ token: fetchToken, userId: user.id }}>
 *   <Inbox />
 * </NotificationProvider>
 */
export function NotificationProvider({ url, options, client: given, children }: NotificationProviderProps): ReactElement {
  const [own, setOwn] = useState<NotificationClient>();
  const userId = options?.userId;
  useEffect(() => {
    if (given || url === undefined) return;
    const client = connect(url, options);
    setOwn(client);
    return () => {
      setOwn(undefined);
      client.close();
    };
    // `options` is a new object in every render; what identifies the connection is compared.
  }, [given, url, userId]);
  return createElement(ClientContext.Provider, { value: given ?? own }, children);
}

/** The client of the nearest provider; `undefined` on the server and before the first effect. */
export const useNotificationClient = (): NotificationClient | undefined => useContext(ClientContext);
