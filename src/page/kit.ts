/** What the views that are loaded on demand get from the element, so that they need no copy of it. */
import { html, nothing } from 'lit-html';
import { fieldsView, problemsOf, waysOf } from './answer-view.js';
import { askedView, proposalText, titleOf } from './asked-view.js';
import { decisionView, outcomeOf } from './card-view.js';
import { decisionOf, isOver } from './cards.js';
import { completed } from './completed.js';
import { plain, visible } from './text.js';
import { fill } from './words.js';

export const KIT = {
  html,
  nothing,
  visible,
  plain,
  fill,
  askedView,
  titleOf,
  proposalText,
  outcomeOf,
  fieldsView,
  problemsOf,
  waysOf,
  decisionView,
  decisionOf,
  isOver,
  completed,
};

export type Kit = typeof KIT;
