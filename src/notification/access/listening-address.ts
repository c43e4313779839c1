/** Where the application's HTTP server listens, asked of the server itself. */
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { isLoopback } from './web-address.js';

export interface ListeningAt {
  host: string;
  port: number;
}

@Injectable()
export class ListeningAddress {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** The application's HTTP server; an application context has none. */
  get server(): Server | undefined {
    // The type of `httpAdapter` does not say that an application context has no adapter.
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    return adapter?.getHttpServer() as Server | undefined;
  }

  /** `undefined`: there is no HTTP server, it does not listen yet, or it listens on a Unix socket. */
  get current(): ListeningAt | undefined {
    const address = this.server?.address();
    if (address === null || address === undefined || typeof address === 'string') return undefined;
    return { host: address.address, port: address.port };
  }

  /** Whether only programs and pages of this machine can connect. */
  get isLoopbackOnly(): boolean {
    const host = this.current?.host;
    return host !== undefined && isLoopback(host);
  }
}
