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
  private readings: Set<Set<string>> | undefined;

  begin(): ReadingNotes {
    const ids = new Set<string>();
    (this.readings ??= new Set()).add(ids);
    return {
      has: (id) => ids.has(id),
      add: (id) => void ids.add(id),
      end: () => {
        ids.clear();
        if (this.readings?.delete(ids) && this.readings.size === 0) this.readings = undefined;
      },
    };
  }

  /** Notes a change for every reading that is under way. */
  note(id: string): void {
    for (const ids of this.readings ?? NONE) ids.add(id);
  }

  /** Whether a reading that is under way has noted the change. */
  has(id: string): boolean {
    for (const ids of this.readings ?? NONE) if (ids.has(id)) return true;
    return false;
  }
}

const NONE: ReadonlySet<Set<string>> = new Set();
