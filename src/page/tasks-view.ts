/** The running tasks: progress, the last sign of each, its steps, and its cancellation. */
import type { TemplateResult } from 'lit-html';
import type { Card } from './cards.js';
import type { Kit } from './kit.js';
import type { RunningTask, Tasks } from './tasks.js';
import type { Words } from './words.js';

/** A task is said to be silent after this many seconds. */
const SILENT_S = 20;

/** @param cards of all tasks, decided ones included: a task's steps are what it asked */
export function tasksView(kit: Kit, tasks: Tasks, cards: readonly Card[], words: Words): TemplateResult {
  const { html } = kit;
  if (tasks.list.length === 0) return html`<p class="quiet" part="empty">${words.emptyTasks}</p>`;
  return html`<ul class="tasks">
    ${tasks.list.map((task, index) =>
      taskView(
        kit,
        tasks,
        task,
        `task-${index}`,
        cards.filter(({ asked }) => asked.task_id === task.id),
        words,
      ),
    )}
  </ul>`;
}

function taskView(kit: Kit, tasks: Tasks, task: RunningTask, key: string, cards: readonly Card[], words: Words): TemplateResult {
  const { html, nothing, visible, fill, plain } = kit;
  const { id, progress, message, signAt, isCancelled, isSure, problem } = task;
  const silentS = Math.floor((Date.now() - signAt) / 1000);
  return html`<li part="task" aria-labelledby=${key}>
    <label id=${key} for="${key}-p">${visible(fill(words.task, { id }))}</label>
    ${progress === undefined ? nothing : html`<progress id="${key}-p" max="1" value=${progress}></progress>`}
    <p>
      ${visible(message)}
      <small>${isCancelled ? words.taskCancelled : silentS >= SILENT_S ? fill(words.silent, { s: silentS }) : nothing}</small>
    </p>
    ${
      cards.length === 0
        ? nothing
        : html`<ol part="steps">
            ${cards.map((card) => html`<li value=${card.asked.step}>${visible(stepOf(kit, card, words))}</li>`)}
          </ol>`
    }
    ${problem ? html`<p class="problem">${visible(problem)}</p>` : nothing}
    ${
      isCancelled
        ? nothing
        : html`${isSure ? html`<p class="bad">${fill(words.reallyCancel, { id: plain(id) })}</p>` : nothing}
            <div class="actions">
              ${isSure ? html`<button part="button" @click=${() => tasks.back(task)}>${words.back}</button>` : nothing}
              <button part="button ${isSure ? 'confirm-button' : ''}" @click=${() => void tasks.cancel(task)}>
                ${words.cancel}
              </button>
            </div>`
    }
  </li>`;
}

function stepOf({ isOver, titleOf, outcomeOf, fill }: Kit, card: Card, words: Words): string {
  const text = isOver(card) ? outcomeOf(card, words) : words.stepWaits;
  return fill(words.pair, { name: titleOf(card, words), text });
}
