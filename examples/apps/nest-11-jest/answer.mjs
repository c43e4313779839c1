/** Ann's device: answers every confirmation with yes. */
import { connect } from 'websocket-manager/client';
import { WebSocket } from 'ws';

const client = connect(`ws://localhost:${process.env.PORT ?? 3000}/ws`, { userId: 'ann', WebSocket });
client.onConfirmation(({ message }) => {
  console.log(message);
  return { proceed: true };
});
