/** The open confirmations of all users, searchable by user and task. Each can be answered for its user, or withdrawn. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { OperationsApi } from './operations-api.js';
import { visible } from './text.js';

interface Entry {
  callback_id: string;
  user_id: string;
  task_id: string;
  message: string | null;
  title?: string;
  timestamp: number;
  expires_at: number | null;
}

type Act = 'yes' | 'no' | 'withdraw';

const ACTS: readonly { act: Act; label: string }[] = [
  { act: 'yes', label: 'Answer yes' },
  { act: 'no', label: 'Answer no' },
  { act: 'withdraw', label: 'Withdraw' },
];
const PAGE = 50;

export class OpenList {
  private entries: Entry[] = [];
  private cursor: string | undefined;
  private filter = { user: '', task: '' };
  private note = '';
  /** The act that has been asked for and not confirmed yet. */
  private asked: { id: string; act: Act } | undefined;

  constructor(
    private readonly api: OperationsApi,
    private readonly redraw: () => void,
  ) {}

  /** Reads the first page. */
  async search(): Promise<void> {
    await this.read(undefined);
  }

  view(): TemplateResult {
    const onSubmit = (event: SubmitEvent): void => {
      event.preventDefault();
      const { elements } = event.target as HTMLFormElement;
      const valueOf = (name: string): string => (elements.namedItem(name) as HTMLInputElement).value.trim();
      this.filter = { user: valueOf('user'), task: valueOf('task') };
      void this.search();
    };
    return html`<h3>Waiting for a decision</h3>
      <form @submit=${onSubmit}>
        <label for="find-user">User</label><input id="find-user" name="user" autocomplete="off" />
        <label for="find-task">Task</label><input id="find-task" name="task" autocomplete="off" />
        <button>Search</button>
      </form>
      <p role="status">${visible(this.note)}</p>
      <div class="wide" tabindex="0" role="region" aria-label="Open confirmations">
        <table>
          <caption>
            Open confirmations, newest first
          </caption>
          <thead>
            <tr>
              <th scope="col">What is asked</th>
              <th scope="col">User</th>
              <th scope="col">Task</th>
              <th scope="col">Since</th>
              <th scope="col">Until</th>
              <th scope="col">Act</th>
            </tr>
          </thead>
          <tbody>
            ${this.entries.map((entry) => this.row(entry))}
          </tbody>
        </table>
      </div>
      ${this.cursor === undefined ? nothing : html`<button @click=${() => void this.read(this.cursor)}>More</button>`}`;
  }

  private row(entry: Entry): TemplateResult {
    const { asked } = this;
    const act = asked?.id === entry.callback_id ? asked.act : undefined;
    const time = (seconds: number | null): string => (seconds === null ? 'for ever' : new Date(seconds * 1000).toLocaleString());
    const ask = (next: Act | undefined): void => {
      this.asked = next && { id: entry.callback_id, act: next };
      this.redraw();
    };
    const label = ACTS.find((one) => one.act === act)?.label;
    return html`<tr>
      <th scope="row">${visible(entry.title ?? entry.message ?? '')}</th>
      <td>${visible(entry.user_id)}</td>
      <td>${visible(entry.task_id)}</td>
      <td>${time(entry.timestamp)}</td>
      <td>${time(entry.expires_at)}</td>
      <td>
        ${
          act === undefined
            ? ACTS.map((one) => html`<button @click=${() => ask(one.act)}>${one.label}</button> `)
            : html`<button @click=${() => ask(undefined)}>Back</button>
                <button class="main" @click=${() => void this.carryOut(entry, act)}>${label}: are you sure?</button>`
        }
      </td>
    </tr>`;
  }

  private async read(cursor: string | undefined): Promise<void> {
    const { user, task } = this.filter;
    const query = new URLSearchParams({ state: 'pending', order: 'newest', limit: String(PAGE) });
    if (user !== '') query.set('user_id', user);
    if (task !== '') query.set('task_id', task);
    if (cursor !== undefined) query.set('cursor', cursor);
    try {
      const page = await this.api.call<{ confirmations: Entry[]; cursor?: string }>('GET', `ws/confirmations?${query}`);
      this.entries = cursor === undefined ? page.confirmations : [...this.entries, ...page.confirmations];
      this.cursor = page.cursor;
      this.note =
        this.entries.length === 0
          ? 'Nothing waits.'
          : `${this.entries.length}${page.cursor === undefined ? '' : ' or more'} wait.`;
    } catch (error) {
      this.note = (error as Error).message;
    }
    this.redraw();
  }

  private async carryOut({ callback_id: id, user_id: userId }: Entry, act: Act): Promise<void> {
    const path = `ws/confirmations/${encodeURIComponent(id)}`;
    this.asked = undefined;
    try {
      if (act === 'withdraw') await this.api.call('DELETE', path);
      else await this.api.call('POST', `${path}/answer`, { proceed: act === 'yes', user_id: userId, via: 'operations' });
      this.entries = this.entries.filter(({ callback_id: other }) => other !== id);
      this.note = act === 'withdraw' ? 'Withdrawn.' : `Answered for ${userId}.`;
    } catch (error) {
      this.note = (error as Error).message;
    }
    this.redraw();
  }
}
