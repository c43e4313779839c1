/** Errors that nobody awaits. */

/** What reports must not throw: nobody is there to catch it. */
export const guarded =
  (report: (error: unknown) => void = reportGlobally) =>
  (error: unknown): void => {
    try {
      report(error);
    } catch (thrown) {
      reportGlobally(thrown);
    }
  };

function reportGlobally(error: unknown): void {
  const { console, reportError = console.error } = globalThis as unknown as {
    console: { error(this: void, error: unknown): void };
    reportError?: (error: unknown) => void;
  };
  reportError(error);
}
