/**
 * Text that others wrote, shown as it is. Characters that a reader cannot see, or that reorder what is seen, are replaced
 * by their number, so that nobody agrees to something else than what is read.
 */
import { html, type TemplateResult } from 'lit-html';

/**
 * Controls, what only formats or is ignored, and the blank of Braille; not line breaks, joined emoji, nor the choice between
 * an emoji's two forms.
 */
const HIDDEN =
  /((?![\n\t]|\r\n|\u200d\p{Extended_Pictographic}|(?<=[\p{Extended_Pictographic}\d#*])[\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800])/u;

const numberOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** For templates: the text, with hidden characters marked. */
export const visible = (text: string): TemplateResult =>
  html`<bdi dir="auto"
    >${text.split(HIDDEN).map((part, index) => (index % 2 ? html`<mark part="hidden">${numberOf(part)}</mark>` : part))}</bdi
  >`;

/** For attributes and announcements. */
export const plain = (text: string): string =>
  text
    .split(HIDDEN)
    .map((part, index) => (index % 2 ? `[${numberOf(part)}]` : part))
    .join('');

/** Beyond this depth a value is shown as JSON. */
const DEEPEST = 20;

/** A JSON value as nested lists, in full. */
export function tree(value: unknown, depth = 0): TemplateResult {
  if (typeof value === 'string') return value === '' ? html`<code>""</code>` : visible(value);
  if (typeof value !== 'object' || value === null) return html`<code>${String(value)}</code>`;
  const entries = Object.entries(value);
  if (entries.length === 0 || depth >= DEEPEST) return html`<code>${visible(JSON.stringify(value))}</code>`;
  if (Array.isArray(value))
    return html`<ol>
      ${value.map((item) => html`<li>${tree(item, depth + 1)}</li>`)}
    </ol>`;
  return html`<dl>
    ${entries.map(
      ([name, item]) =>
        html`<div>
          <dt>${visible(name)}</dt>
          <dd>${tree(item, depth + 1)}</dd>
        </div>`,
    )}
  </dl>`;
}
