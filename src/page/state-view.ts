/** The state of the connection, beside the cards. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { ConnectionState } from '../client/index.js';
import { plain } from './text.js';
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
