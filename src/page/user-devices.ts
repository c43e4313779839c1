/** The devices of one user: where they are connected, how well, and the end of their rights. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { OperationsApi } from './operations-api.js';
import { visible } from './text.js';

interface Device {
  node: string;
  since: number;
  address: string;
  round_trip_time?: number;
  queue_bytes?: number;
}

interface Presence {
  user_id: string;
  connections: number;
  devices: Device[];
}

export class UserDevices {
  private found: Presence | undefined;
  private note = '';
  private isSure = false;

  constructor(
    private readonly api: OperationsApi,
    private readonly redraw: () => void,
  ) {}

  view(): TemplateResult {
    const onSubmit = (event: SubmitEvent): void => {
      event.preventDefault();
      const field = (event.target as HTMLFormElement).elements.namedItem('user') as HTMLInputElement;
      void this.read(field.value.trim());
    };
    return html`<h3>A user's connections</h3>
      <form @submit=${onSubmit}>
        <label for="devices-of">User</label><input id="devices-of" name="user" required autocomplete="off" />
        <button>Show</button>
      </form>
      <p role="status">${visible(this.note)}</p>
      ${this.found ? this.table(this.found) : nothing}`;
  }

  private table({ user_id: userId, devices }: Presence): TemplateResult {
    const ms = (seconds: number | undefined): string => (seconds === undefined ? '–' : (seconds * 1000).toFixed(1));
    const sure = (isSure: boolean): void => {
      this.isSure = isSure;
      this.redraw();
    };
    const revoke = this.isSure
      ? html`<button @click=${() => sure(false)}>Back</button>
          <button class="main" @click=${() => void this.end(userId, 'revoke')}>Revoke ${visible(userId)}: are you sure?</button>`
      : html`<button @click=${() => sure(true)}>Disconnect and revoke</button>`;
    return html`<div class="wide" tabindex="0" role="region" aria-label="Devices">
        <table>
          <caption>
            Devices of ${visible(userId)}
          </caption>
          <thead>
            <tr>
              <th scope="col">Address</th>
              <th scope="col">Node</th>
              <th scope="col">Since</th>
              <th scope="col">Round trip, ms</th>
              <th scope="col">Queued bytes</th>
            </tr>
          </thead>
          <tbody>
            ${devices.map(
              (device) =>
                html`<tr>
                  <th scope="row">${visible(device.address)}</th>
                  <td>${visible(device.node)}</td>
                  <td>${new Date(device.since * 1000).toLocaleString()}</td>
                  <td>${ms(device.round_trip_time)}</td>
                  <td>${device.queue_bytes ?? '–'}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
      <p><button @click=${() => void this.end(userId, 'review')}>Ask for the rights again</button> ${revoke}</p>`;
  }

  private async read(userId: string): Promise<void> {
    this.isSure = false;
    try {
      this.found = await this.api.call<Presence>('GET', `ws/users/${encodeURIComponent(userId)}`);
      this.note = `${this.found.connections} connections.`;
    } catch (error) {
      this.found = undefined;
      this.note = (error as Error).message;
    }
    this.redraw();
  }

  private async end(userId: string, act: 'review' | 'revoke'): Promise<void> {
    this.isSure = false;
    try {
      await this.api.call('POST', `ws/users/${encodeURIComponent(userId)}/${act}`);
      this.note = act === 'revoke' ? 'All connections are closed, and tokens issued until now are refused.' : 'Asked.';
    } catch (error) {
      this.note = (error as Error).message;
    }
    this.redraw();
  }
}
