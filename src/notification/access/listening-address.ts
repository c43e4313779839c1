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

  /** `undefined`: there is no HTTP server, it does not listen yet, or it listens on a Unix socket. */
  get current(): ListeningAt | undefined {
    // An application context has no adapter, whatever the type says.
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    const address = (adapter?.getHttpServer() as Server | undefined)?.address();
    if (address === null || address === undefined || typeof address === 'string') return undefined;
    return { host: address.address, port: address.port };
  }

  /** Whether only programs and pages of this machine can connect. */
  get isLoopbackOnly(): boolean {
    const host = this.current?.host;
    return host !== undefined && isLoopback(host);
  }
}
