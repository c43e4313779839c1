/** The view of *Operations*: the state of the service and of the whole cluster. The page loads it when it is first shown. */
import { html, render } from 'lit-html';
import { tree } from './text.js';

const EVERY_MS = 2000;

export interface OperationsContext {
  /** Secure mode: the token that the reader has given, if any. */
  token: string | undefined;
}

/** Draws into `root` until the result is called. */
export function showOperations(root: HTMLElement, { token }: OperationsContext): () => void {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
  let isStopped = false;
  const update = async (): Promise<void> => {
    const status = await read('ws/status', headers);
    if (!isStopped)
      render(
        html`<h2>Operations</h2>
          ${tree(status)}`,
        root,
      );
  };
  void update();
  const timer = setInterval(() => void update(), EVERY_MS);
  return () => {
    isStopped = true;
    clearInterval(timer);
    render(html``, root);
  };
}

/** @returns the body, or what went wrong */
async function read(path: string, headers: HeadersInit): Promise<unknown> {
  try {
    return await (await fetch(path, { headers })).json();
  } catch (error) {
    return { message: (error as Error).message };
  }
}
