/** Settings: who may connect and call, and from where. */
import { z } from 'zod';
import { canonicalOrigin, isProxy, parseHost } from '../../notification/service-door.js';
import { HTTP_URL, list, onOff, oneOf, text, whole, type Table } from './kinds.js';

export const authentication = {
  WEBSOCKET_AUTH: {
    ...oneOf('none', 'jwt'),
    about:
      '`jwt` is secure mode and needs exactly one of the next three. `none` chooses open mode; `NODE_ENV=production` requires that choice.',
  },
  WEBSOCKET_JWT_SECRET: {
    ...text('a secret of at least 32 bytes', z.string()),
    isSecret: true,
    inFile: true,
    about: 'A shared secret of 32 bytes or more, for HS256, HS384 and HS512.',
  },
  WEBSOCKET_JWT_PUBLIC_KEY: {
    ...text('a PEM of an RSA, EC or Ed25519 public key', z.string()),
    inFile: true,
    about: 'A public key as PEM: RSA, EC or Ed25519.',
  },
  WEBSOCKET_JWKS_URL: {
    ...text('an http(s) URL', HTTP_URL),
    about: 'Where keys are fetched by `kid`; fetched again when a token names an unknown one.',
  },
  WEBSOCKET_JWT_AUDIENCE: {
    ...text('the audience that a token must name', z.string()),
    about: 'The audience that a token must name. Without it, any will do.',
  },
  WEBSOCKET_JWT_ISSUER: {
    ...text('the issuer that a token must name', z.string()),
    about: 'The issuer that a token must name. Without it, any will do.',
  },
  WEBSOCKET_TOKEN_IN_QUERY: {
    ...onOff(),
    option: 'tokenInQuery',
    about: 'Whether `?token=` counts. Logs on the way may keep it.',
  },
  WEBSOCKET_API_KEYS: {
    ...list('keys of at least 16 characters, separated by commas', (key) => key.length >= 16),
    option: 'apiKeys',
    isSecret: true,
    inFile: true,
    about:
      'Keys for REST (`X-API-Key` or Bearer), separated by commas, 16 characters or more each. In open mode without any, REST is open.',
  },
  WEBSOCKET_AUTH_FAILURES: {
    ...whole('failures a minute from one address, from 1', 1),
    option: 'authenticationFailures',
    about: 'Failed authentications a minute from one address. Further ones get 429; valid tokens and keys never do.',
  },
} as const satisfies Table;

export const pages = {
  WEBSOCKET_ALLOWED_ORIGINS: {
    ...list(
      'origins of web pages (scheme://host[:port], null, file:// or *), separated by commas',
      (origin) => canonicalOrigin(origin) !== undefined,
    ),
    option: 'allowedOrigins',
    about:
      'Origins of web pages that may use the service, as a browser writes them; also `null`, `file://`, and `*` for any. Without it: the service’s own page, and in open mode pages of this machine.',
  },
  WEBSOCKET_ALLOWED_HOSTS: {
    ...list('hosts (name[:port]), separated by commas', (host) => parseHost(host) !== undefined),
    option: 'allowedHosts',
    about: 'Open mode: names, with or without port, under which browsers reach the service, beside `localhost` and IP addresses.',
  },
  WEBSOCKET_TRUST_PROXY: {
    ...list('addresses, subnets, loopback, linklocal or uniquelocal, separated by commas', isProxy),
    option: 'trustProxy',
    about: 'Proxies whose `X-Forwarded-For` counts: addresses, subnets, `loopback`, `linklocal`, `uniquelocal`.',
  },
} as const satisfies Table;
