/** The arithmetic of docs/scaling.md. */
export function scaling() {
  return {};
}
