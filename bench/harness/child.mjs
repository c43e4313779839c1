/**
 * The child's end of the control protocol: `{ id, command, … }` comes by IPC, `{ id, result }` or `{ id, error }` goes back.
 * The first message of a child is `{ ready: true }`. A child ends with its parent.
 */
export function obey(commands) {
  process.on('message', ({ id, command, ...args }) => {
    Promise.resolve()
      .then(() => commands[command](args))
      .then(
        (result) => process.send({ id, result }),
        (error) => process.send({ id, error: String(error?.stack ?? error) }),
      );
  });
  process.on('disconnect', () => process.exit());
  process.send({ ready: true });
}
