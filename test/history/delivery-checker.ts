/**
 * Checks a record of what happens around the confirmations: connections above a limit, messages, acknowledgements, and
 * tasks. A pure function, the same for either engine and any fault. An accepted call counts; a failed one may have
 * happened or not. `settled` says that nothing more is under way: what is demanded by then is demanded there.
 *
 *  1. `oldest goes first`: a connection that is replaced is older than every one that stays, `limit` newer ones were
 *     begun, and no more than `limit` stay.
 *  2. `no silent gap`: a reader gets every message that was accepted after its position, or `recovered: false` later on.
 *  3. `once and in order`: a reader gets no message twice, and no offset that is not above the one before in its epoch.
 *  4. `acknowledged is acknowledged`: a sender who waits gets `true` if an acknowledgement was accepted before its reply,
 *     and only if one was begun.
 *  5. `shown until acknowledged`: every open connection of the user was shown each accepted message that nobody has begun
 *     to acknowledge, and none that was acknowledged before the connection began.
 *  6. `a cancellation is whole`: an accepted cancellation has cancelled every prompt opened before it; one that failed, all
 *     of them or none.
 *  7. `a resumed task asks again`: a prompt opened after a task was resumed or forgotten is not cancelled.
 *
 * `restored` says that an older copy of the data is in use: 4 to 7 start afresh; 2 and 3 do not.
 */
export type DeliveryRule =
  | 'oldest goes first'
  | 'no silent gap'
  | 'once and in order'
  | 'acknowledged is acknowledged'
  | 'shown until acknowledged'
  | 'a cancellation is whole'
  | 'a resumed task asks again';

export type DeliveryEntry =
  /* connections: `connecting` when a user's connection begins, `connected` when the service has taken it */
  | { kind: 'connecting' | 'connected'; connection: number; userId: string }
  | { kind: 'closed'; connection: number; code: number }
  /* readers, who go on from connection to connection with the position that they stored last */
  | { kind: 'reading'; reader: string; channel: string }
  | { kind: 'publish'; call: number; channel: string; message: number }
  | { kind: 'received'; reader: string; message: number; epoch: string; offset: number }
  | { kind: 'recovered'; reader: string; recovered: boolean }
  /* messages to acknowledge */
  | { kind: 'send'; call: number; userId: string; message: number }
  | { kind: 'sent'; call: number; acknowledged?: boolean }
  | { kind: 'shown'; connection: number; message: number }
  | { kind: 'ack'; call: number; message: number }
  /* tasks */
  | { kind: 'open'; call: number; taskId: string; prompt: number }
  | { kind: 'cancel' | 'resume'; call: number; taskId: string }
  | { kind: 'forgotten'; taskId: string }
  | { kind: 'state'; prompt: number; state: string }
  /* ends of calls */
  | { kind: 'accepted' | 'failed'; call: number }
  | { kind: 'restored' }
  | { kind: 'settled' };

export interface DeliveryViolation {
  rule: DeliveryRule;
  message: string;
}

/** Where in the record something began and was accepted. */
interface Span {
  began: number;
  accepted?: number;
}

interface Reader {
  channel: string;
  since: number;
  received: Set<number>;
  /** Where in the record `recovered: false` arrived last. */
  gapAt: number;
  epoch?: string;
  offset: number;
}

interface Device extends Span {
  userId: string;
  end?: { at: number; code: number };
  shown: Set<number>;
}

interface Mail extends Span {
  userId: string;
  waiting?: { at: number; acknowledged: boolean };
  acks: Span[];
}

interface Prompt extends Span {
  taskId: string;
  state?: string;
}

const REPLACED = 4509;

/** @param limit connections that a user may have */
export function checkDelivery(entries: readonly DeliveryEntry[], { limit }: { limit: number }): DeliveryViolation[] {
  return new DeliveryCheck(limit).run(entries);
}

class DeliveryCheck {
  private readonly violations: DeliveryViolation[] = [];
  private readonly devices = new Map<number, Device>();
  private readonly readers = new Map<string, Reader>();
  private readonly publications = new Map<number, Span & { channel: string }>();
  private readonly spans = new Map<number, Span>();
  private readonly mails = new Map<number, Mail>();
  private readonly mailOfCall = new Map<number, Mail>();
  private readonly prompts = new Map<number, Prompt>();
  private readonly cancels: (Span & { taskId: string })[] = [];
  private readonly renewals: (Span & { taskId: string })[] = [];

  constructor(private readonly limit: number) {}

  run(entries: readonly DeliveryEntry[]): DeliveryViolation[] {
    entries.forEach((entry, at) => this.read(entry, at));
    return this.violations;
  }

  private read(entry: DeliveryEntry, at: number): void {
    switch (entry.kind) {
      case 'connecting':
        this.devices.set(entry.connection, { userId: entry.userId, began: at, shown: new Set() });
        return;
      case 'connected':
        return void Object.assign(this.devices.get(entry.connection) ?? {}, { accepted: at });
      case 'closed':
        return void Object.assign(this.devices.get(entry.connection) ?? {}, { end: { at, code: entry.code } });
      case 'reading':
        this.readers.set(entry.reader, { channel: entry.channel, since: at, received: new Set(), gapAt: -1, offset: -1 });
        return;
      case 'publish':
        this.publications.set(entry.message, this.begin(entry.call, { began: at, channel: entry.channel }));
        return;
      case 'received':
        return this.receive(entry);
      case 'recovered':
        if (!entry.recovered) Object.assign(this.readers.get(entry.reader) ?? {}, { gapAt: at, epoch: undefined });
        return;
      case 'send': {
        const mail = this.begin(entry.call, { began: at, userId: entry.userId, acks: [] });
        this.mails.set(entry.message, mail);
        this.mailOfCall.set(entry.call, mail);
        return;
      }
      case 'sent': {
        const mail = this.mailOfCall.get(entry.call);
        if (!mail) return;
        mail.accepted = at;
        if (entry.acknowledged !== undefined) mail.waiting = { at, acknowledged: entry.acknowledged };
        return;
      }
      case 'shown':
        this.devices.get(entry.connection)?.shown.add(entry.message);
        return;
      case 'ack':
        this.mails.get(entry.message)?.acks.push(this.begin(entry.call, { began: at }));
        return;
      case 'open':
        this.prompts.set(entry.prompt, this.begin(entry.call, { began: at, taskId: entry.taskId }));
        return;
      case 'cancel':
        this.cancels.push(this.begin(entry.call, { began: at, taskId: entry.taskId }));
        return;
      case 'resume':
        this.renewals.push(this.begin(entry.call, { began: at, taskId: entry.taskId }));
        return;
      case 'forgotten':
        this.renewals.push({ began: at, accepted: at, taskId: entry.taskId });
        return;
      case 'state':
        return void Object.assign(this.prompts.get(entry.prompt) ?? {}, { state: entry.state });
      case 'accepted':
        return void Object.assign(this.spans.get(entry.call) ?? {}, { accepted: at });
      case 'failed':
        return;
      case 'restored':
        for (const map of [this.mails, this.mailOfCall, this.prompts]) map.clear();
        this.cancels.length = 0;
        this.renewals.length = 0;
        return;
      case 'settled':
        this.checkLimits();
        this.checkReaders(at);
        this.checkMails();
        this.checkTasks();
        return;
      default:
        return entry satisfies never;
    }
  }

  private begin<S extends Span>(call: number, span: S): S {
    this.spans.set(call, span);
    return span;
  }

  private receive({ reader: name, message, epoch, offset }: Extract<DeliveryEntry, { kind: 'received' }>): void {
    const reader = this.readers.get(name);
    if (!reader) return;
    if (reader.received.has(message)) this.report('once and in order', `${name} got message ${message} twice`);
    if (reader.epoch === epoch && offset <= reader.offset)
      this.report('once and in order', `${name} got offset ${offset} after ${reader.offset}`);
    reader.received.add(message);
    Object.assign(reader, { epoch, offset });
  }

  private checkLimits(): void {
    const byUser = new Map<string, [number, Device][]>();
    for (const [connection, device] of this.devices) {
      const of = byUser.get(device.userId) ?? [];
      byUser.set(device.userId, of);
      of.push([connection, device]);
    }
    for (const [userId, devices] of byUser) {
      const open = devices.filter(([, { accepted, end }]) => accepted !== undefined && !end);
      if (open.length > this.limit) this.report('oldest goes first', `${userId} has ${open.length} connections`);
      const oldest = Math.min(...open.map(([, { began }]) => began));
      for (const [connection, { began, accepted, end }] of devices) {
        if (end?.code !== REPLACED || accepted === undefined) continue;
        if (began > oldest) this.report('oldest goes first', `connection ${connection} of ${userId} went, an older one stays`);
        const newer = devices.filter(([, other]) => other.began > began).length;
        if (newer < this.limit)
          this.report('oldest goes first', `connection ${connection} of ${userId} went, with ${newer} newer ones`);
      }
    }
  }

  private checkReaders(at: number): void {
    for (const [name, { channel, since, received, gapAt }] of this.readers)
      for (const [message, publication] of this.publications) {
        if (publication.channel !== channel || publication.began < since || publication.accepted === undefined) continue;
        if (publication.accepted < at && !received.has(message) && gapAt < publication.began)
          this.report('no silent gap', `${name} did not get message ${message}, and no gap was announced`);
      }
  }

  private checkMails(): void {
    for (const [message, { userId, accepted, waiting, acks }] of this.mails) {
      const acknowledgedAt = Math.min(...acks.map((ack) => ack.accepted ?? Infinity));
      if (waiting && !waiting.acknowledged && acknowledgedAt < waiting.at)
        this.report('acknowledged is acknowledged', `message ${message} was acknowledged, and its sender got false`);
      if (waiting?.acknowledged && !acks.some(({ began }) => began < waiting.at))
        this.report('acknowledged is acknowledged', `nobody acknowledged message ${message}, and its sender got true`);
      for (const [connection, device] of this.devices) {
        if (device.userId !== userId) continue;
        const isShown = device.shown.has(message);
        if (isShown && acknowledgedAt < device.began)
          this.report('shown until acknowledged', `connection ${connection} was shown message ${message} again`);
        const isDue = accepted !== undefined && acks.length === 0 && device.accepted !== undefined && !device.end;
        if (isDue && !isShown)
          this.report('shown until acknowledged', `connection ${connection} was not shown message ${message}`);
      }
    }
  }

  private checkTasks(): void {
    for (const cancel of this.cancels) {
      const { taskId } = cancel;
      const before = [...this.prompts].filter(
        ([, { accepted, taskId: of, state }]) =>
          of === taskId && state !== undefined && accepted !== undefined && accepted < cancel.began,
      );
      // Prompts that an earlier cancellation may have reached say nothing about this one.
      const own = before.filter(
        ([, prompt]) => !this.cancels.some((other) => other !== cancel && other.taskId === taskId && prompt.began < other.began),
      );
      const cancelled = own.filter(([, { state }]) => state === 'cancelled').length;
      const isWhole = cancelled === own.length || (cancel.accepted === undefined && cancelled === 0);
      if (!isWhole) this.report('a cancellation is whole', `${cancelled} of ${own.length} prompts of ${taskId} were cancelled`);
    }
    for (const [prompt, { taskId, began, state }] of this.prompts) {
      if (state !== 'cancelled') continue;
      const renewedAt = Math.max(
        ...this.renewals.map((each) => (each.taskId === taskId && (each.accepted ?? Infinity) < began ? each.began : -1)),
      );
      // A cancellation that began before the last resumption had ended may still count.
      if (!this.cancels.some((cancel) => cancel.taskId === taskId && cancel.began > renewedAt))
        this.report('a resumed task asks again', `prompt ${prompt} of ${taskId} was cancelled after that`);
    }
  }

  private report(rule: DeliveryRule, message: string): void {
    this.violations.push({ rule, message });
  }
}
