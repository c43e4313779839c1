/**
 * Records what changes while something is read: prompts that are shown or decided, messages that are acknowledged.
 *
 * A reader calls `begin` before it queries the engine, and leaves out of the result every id that has changed since.
 * Otherwise a prompt could be shown again after the frame that announces its decision.
 */

/** One reading that is under way. */
export interface ReadingNotes {
  /** Whether the prompt or message has changed since the reading began. */
  has(id: string): boolean;
  /** Notes a change for this reading alone. */
  add(id: string): void;
  /** Ends the reading. Nothing is noted for it afterwards. */
  end(): void;
}

export class ChangesWhileReading {
  private readonly readings = new Set<Set<string>>();

  begin(): ReadingNotes {
    const ids = new Set<string>();
    this.readings.add(ids);
    return {
      has: (id) => ids.has(id),
      add: (id) => void ids.add(id),
      end: () => {
        this.readings.delete(ids);
        ids.clear();
      },
    };
  }

  /** Notes a change for every reading that is under way. */
  note(id: string): void {
    for (const ids of this.readings) ids.add(id);
  }

  /** Whether a reading that is under way has noted the change. */
  has(id: string): boolean {
    for (const ids of this.readings) if (ids.has(id)) return true;
    return false;
  }
}
