/**
 * Runs a piece of work at most once at a time.
 *
 *  1. A request during a run causes one further run, which begins after the current one. No request is lost, also not one
 *     that comes while a run is ending.
 *  2. A run that fails takes the requests for the further run with it: they reject, and nothing is repeated by itself.
 */
export class SingleFlight {
  private current: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly work: () => Promise<void>) {}

  get isRunning(): boolean {
    return this.current !== undefined || this.next !== undefined;
  }

  /** Resolves when a run that began after this call has ended. @throws the error of that run, or of the one before it */
  run(): Promise<void> {
    if (this.next) return this.next;
    if (!this.current) return this.begin();
    this.next = this.current.then(
      () => this.begin(),
      (error: unknown) => {
        this.next = undefined;
        throw error;
      },
    );
    return this.next;
  }

  /** Joins a run that is under way; begins one otherwise. @throws the error of that run */
  join(): Promise<void> {
    return this.current ?? this.next ?? this.begin();
  }

  /** Resolves when no run is under way or requested. Errors are for those who requested the runs. */
  async idle(): Promise<void> {
    while (this.isRunning) await Promise.allSettled([this.current, this.next]);
  }

  private begin(): Promise<void> {
    this.next = undefined;
    const current = Promise.resolve()
      .then(this.work)
      .finally(() => {
        if (this.current === current) this.current = undefined;
      });
    this.current = current;
    return current;
  }
}
