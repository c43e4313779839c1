/** What stands beside the cards: the state of the connection, and the running tasks. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { ConnectionState } from '../client/index.js';
import type { RunningTask } from './tasks.js';
import { plain, visible } from './text.js';
import { fill, type Words } from './words.js';

/** @param state absent: the element has no client */
export function stateView(state: ConnectionState | undefined, words: Words): TemplateResult {
  if (!state) return html`<p class="state quiet" part="state"><span>${words.nobody}</span></p>`;
  const text = state.status === 'closed' ? fill(words.closed, { reason: plain(state.reason) }) : words[state.status];
  const nextTry = state.status === 'waiting' ? Math.max(0, Math.ceil((state.nextTryAt - Date.now()) / 1000)) : undefined;
  return html`<p class="state quiet ${state.status}" part="state">
    <span role="status">${text}</span>
    ${nextTry === undefined ? nothing : html`<span>${fill(words.nextTry, { s: nextTry })}</span>`}
  </p>`;
}

export function tasksView(tasks: readonly RunningTask[], words: Words): TemplateResult | typeof nothing {
  if (tasks.length === 0) return nothing;
  return html`<section aria-labelledby="running">
    <h2 id="running" part="heading">${words.tasks}</h2>
    <ul class="tasks">
      ${tasks.map((task, index) => taskView(task, index, words))}
    </ul>
  </section>`;
}

function taskView({ id, progress, message, signAt, isCancelled }: RunningTask, index: number, words: Words): TemplateResult {
  const silentS = Math.floor((Date.now() - signAt) / 1000);
  return html`<li part="task">
    <label for="task-${index}">${visible(fill(words.task, { id }))}</label>
    ${progress === undefined ? nothing : html`<progress id="task-${index}" max="1" value=${progress}></progress>`}
    <small
      >${visible(message)}
      ${isCancelled ? words.taskCancelled : silentS >= 20 ? fill(words.silent, { s: silentS }) : nothing}</small
    >
  </li>`;
}
