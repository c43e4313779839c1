/** HTTP requests whose every header the test writes, `Host` and `Origin` included. */
import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

export interface BareAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface BareRequest {
  port: number;
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** An upgrade that succeeds is answered with 101, and its socket destroyed. */
export async function bareRequest({ port, method = 'GET', path = '/', headers = {}, body }: BareRequest): Promise<BareAnswer> {
  const given = { host: `127.0.0.1:${port}`, connection: 'close', ...headers };
  const sent = request({ host: '127.0.0.1', port, method, path, headers: given, setHost: false, agent: false });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve).once('error', reject);
    sent.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response);
    });
  });
  sent.end(body);
  const response = await answered;
  let text = '';
  if (response.statusCode !== 101) {
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(response, 'end');
  }
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** The headers of a WebSocket handshake. */
export const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
