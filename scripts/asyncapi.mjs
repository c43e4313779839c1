/** The AsyncAPI document, made from the types of `src/protocol`. */
import { ProtocolSchemas } from './protocol-schemas.mjs';

const CONNECTION = '#/channels/connection';

/** @param version of the service */
export function asyncApi(version) {
  const protocol = new ProtocolSchemas();
  const actions = protocol.typesByKey('ClientMessages');
  const types = { ...protocol.typesByKey('ServerMessages'), message: ['DeliveredMessage'] };
  const replies = protocol.typesByKey('Replies');
  const messages = {
    ...Object.fromEntries(Object.entries(actions).map(([name, of]) => [`client.${name}`, message(name, of)])),
    ...Object.fromEntries(Object.entries(types).map(([name, of]) => [`server.${name}`, message(name, of)])),
  };

  function message(name, of) {
    const [first, ...others] = of.map((type) => protocol.refer(type));
    const { description, properties } = protocol.schemas[of[0]];
    return {
      name,
      title: name,
      summary: description,
      ...(properties.request_id && { correlationId: { $ref: '#/components/correlationIds/request' } }),
      payload: others.length === 0 ? first : { anyOf: [first, ...others] },
    };
  }

  const typeOfReply = ([reply]) => Object.keys(types).find((type) => types[type].includes(reply));
  const receiving = Object.keys(actions).map((action) => [
    action,
    {
      action: 'receive',
      channel: { $ref: CONNECTION },
      summary: messages[`client.${action}`].summary,
      messages: [referTo(`client.${action}`)],
      reply: {
        channel: { $ref: CONNECTION },
        messages: [referTo(`server.${typeOfReply(replies[action])}`), referTo('server.error')],
      },
    },
  ]);
  const isReply = (type) => types[type].some((of) => Object.values(replies).flat().includes(of));
  // Some types are a reply, and are sent without a request as well.
  const alsoSent = ['task_cancelled', 'unsubscribed'];
  const sending = Object.keys(types)
    .filter((type) => alsoSent.includes(type) || (!isReply(type) && type !== 'error'))
    .map((type) => [
      `send_${type}`,
      {
        action: 'send',
        channel: { $ref: CONNECTION },
        summary: messages[`server.${type}`].summary,
        messages: [referTo(`server.${type}`)],
      },
    ]);

  return {
    asyncapi: '3.1.0',
    info: {
      title: 'WebSocketManager',
      version,
      description:
        'The messages of `notification.v1`, one JSON object in each text frame. Times are Unix seconds, durations seconds. PROTOCOL.md tells the rest: delivery, positions, codes.',
    },
    defaultContentType: 'application/json',
    servers: {
      local: {
        host: 'localhost:8765',
        protocol: 'ws',
        description: 'The stand-alone service as it starts by default.',
        security: [{ $ref: '#/components/securitySchemes/token' }],
      },
    },
    channels: {
      connection: {
        address: '/ws',
        title: 'A connection',
        description: 'The server handles one connection’s messages in order, and answers each with a reply or an `error`.',
        servers: [{ $ref: '#/servers/local' }],
        messages: Object.fromEntries(Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: Object.fromEntries([...receiving, ...sending]),
    components: {
      messages,
      schemas: protocol.schemas,
      correlationIds: {
        request: {
          description: 'A reply or an error repeats the `request_id` of the action, where it has one.',
          location: '$message.payload#/request_id',
        },
      },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description:
            'In secure mode. Or as the subprotocol `bearer.<token>`, or in a first `authenticate`. Open mode needs none.',
        },
      },
    },
  };
}

const referTo = (name) => ({ $ref: `${CONNECTION}/messages/${name}` });
