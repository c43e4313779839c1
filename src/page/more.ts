/**
 * What the element loads when it first needs it: the views of tasks and of the history, editing, answers to several at once,
 * and forms with their check before they are sent.
 */
export { checkAnswer } from '../client/check-answer.js';
export { BatchDialog } from './batch-dialog.js';
export { formOf, valuesOf } from './form.js';
export { readHistory } from './history.js';
export { tasksView } from './tasks-view.js';
export { editView } from './edit-view.js';
