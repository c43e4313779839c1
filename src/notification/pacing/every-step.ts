/**
 * Runs every step, one after the other, whether or not an earlier one fails: what is to be closed is closed.
 * @throws the first error, after the last step
 */
export async function everyStep(...steps: (() => void | Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
