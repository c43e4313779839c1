/**
 * The view of *Operations*: every node, what is open, and the devices of a user. The page loads it when it is first shown.
 *
 * The service adds up the counts of each node; this view asks for them every two seconds, and not while it is hidden.
 */
import { html, nothing, render, type TemplateResult } from 'lit-html';
import { chartsView, nodesView, NodeHistory, type NodeCounts } from './nodes-view.js';
import { OpenList } from './open-list.js';
import { OperationsApi, RefusedError } from './operations-api.js';
import { UserDevices } from './user-devices.js';
import { visible } from './text.js';

const EVERY_MS = 2000;

export interface OperationsContext {
  /** Secure mode: the token that the reader has given, if any. */
  token: string | undefined;
}

/** Draws into `root` until the result is called. */
export function showOperations(root: HTMLElement, { token }: OperationsContext): () => void {
  const operations = new Operations(root, new OperationsApi(token));
  operations.start();
  return () => operations.stop();
}

class Operations {
  private readonly history = new NodeHistory();
  private readonly open: OpenList;
  private readonly devices: UserDevices;
  private timer: ReturnType<typeof setInterval> | undefined;
  private problem = '';
  private needsKey = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly api: OperationsApi,
  ) {
    const redraw = (): void => this.draw();
    this.open = new OpenList(api, redraw);
    this.devices = new UserDevices(api, redraw);
  }

  start(): void {
    this.timer = setInterval(() => void this.update(), EVERY_MS);
    void this.update();
    void this.open.search();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    render(nothing, this.root);
  }

  private async update(): Promise<void> {
    if (document.hidden || (this.needsKey && !this.api.hasKey)) return;
    try {
      const [{ nodes }, { pending_callbacks: pending }] = await Promise.all([
        this.api.call<{ nodes: NodeCounts[] }>('GET', 'ws/nodes'),
        this.api.call<{ pending_callbacks: number }>('GET', 'ws/status'),
      ]);
      this.history.add(performance.now(), nodes, pending);
      this.needsKey = false;
      this.problem = '';
    } catch (error) {
      this.needsKey = error instanceof RefusedError;
      this.problem = (error as Error).message;
    }
    this.draw();
  }

  private draw(): void {
    if (this.timer === undefined) return;
    render(
      html`<h2>Operations</h2>
        ${this.needsKey ? this.keyView() : this.view()}`,
      this.root,
    );
  }

  private view(): TemplateResult {
    return html`${this.problem === '' ? nothing : html`<p role="alert">${visible(this.problem)}</p>`}
    ${chartsView(this.history)}${nodesView(this.history)}${this.open.view()}${this.devices.view()}`;
  }

  /** Secure mode: a user's token reaches only what is the user's. */
  private keyView(): TemplateResult {
    const use = (event: SubmitEvent): void => {
      event.preventDefault();
      const field = (event.target as HTMLFormElement).elements.namedItem('key') as HTMLInputElement;
      this.api.useKey(field.value.trim());
      void this.update();
      void this.open.search();
    };
    return html`<p role="alert">This view needs an API key of the service. ${visible(this.problem)}</p>
      <form @submit=${use}>
        <label for="api-key">API key</label>
        <input id="api-key" name="key" type="password" required autocomplete="off" />
        <button class="main">Show</button>
      </form>`;
  }
}
