/**
 * Records what changes while something is read: prompts that are shown or decided, messages that are acknowledged.
 *
 * A reader calls `begin` before it queries the engine, and leaves out of the result every id that has changed since.
 * Otherwise a prompt could be shown again after the frame that announces its decision.
 */

/** One reading that is under way. */
export interface ReadingNotes {
  /** Whether a prompt looks different since the reading began, and what was read has to be read again. */
  readonly isOutdated: boolean;
  /** Whether the prompt or message has changed since the reading began. */
  has(id: string): boolean;
  /** Notes a change for this reading alone. */
  add(id: string): void;
  /** Ends the reading. Nothing is noted for it afterwards. */
  end(): void;
}

class Notes implements ReadingNotes {
  isOutdated = false;
  private readonly ids = new Set<string>();

  constructor(private readonly onEnd: (notes: Notes) => void) {}

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.add(id);
  }

  end(): void {
    this.ids.clear();
    this.onEnd(this);
  }
}

export class ChangesWhileReading {
  private readings: Set<Notes> | undefined;

  begin(): ReadingNotes {
    const notes = new Notes((ended) => {
      if (this.readings?.delete(ended) && this.readings.size === 0) this.readings = undefined;
    });
    (this.readings ??= new Set()).add(notes);
    return notes;
  }

  /** Notes a change for every reading that is under way. */
  note(id: string): void {
    for (const notes of this.readings ?? NONE) notes.add(id);
  }

  /** A prompt that is still pending looks different: it was dismissed, or is shown again. */
  outdate(): void {
    for (const notes of this.readings ?? NONE) notes.isOutdated = true;
  }

  /** Whether a reading that is under way has noted the change. */
  has(id: string): boolean {
    for (const notes of this.readings ?? NONE) if (notes.has(id)) return true;
    return false;
  }
}

const NONE: ReadonlySet<Notes> = new Set();
