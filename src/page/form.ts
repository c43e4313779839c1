/** The form of a confirmation: native inputs drawn from its `input_schema`, and the values read from them. */
import type { TemplateResult } from 'lit-html';
import type { InputField, InputSchema, Json, JsonObject } from '../protocol/confirmation.js';
import type { FieldErrors } from '../protocol/messages.js';
import type { Kit } from './kit.js';
import type { Words } from './words.js';

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
interface Option {
  value: string;
  label: string;
}

/** Texts that may be longer than this get several lines. */
const ONE_LINE = 120;
const INPUT_TYPES: Readonly<Record<string, string>> = {
  email: 'email',
  uri: 'url',
  date: 'date',
  'date-time': 'datetime-local',
  number: 'number',
  integer: 'number',
};

/**
 * @param key makes ids unique in the document
 * @param errors `values.<name>` -> problem
 */
export function formOf(kit: Kit, schema: InputSchema, key: string, errors: FieldErrors, words: Words): TemplateResult {
  const { html, nothing, visible, fill } = kit;
  const fields = Object.entries(schema.properties).map(([name, field], index) => {
    const id = `${key}-f${index}`;
    const problem = errors[`values.${name}`];
    const isRequired = schema.required?.includes(name) ?? false;
    const label = html`${visible(field.title ?? name)}${isRequired ? html` <small>${fill(words.note, { text: words.required })}</small>` : nothing}`;
    const notes = html`${field.description ? html`<small id="${id}-d">${visible(field.description)}</small>` : nothing}${
      problem ? html`<span id="${id}-e" class="problem" part="problem">${visible(words.problem(problem))}</span>` : nothing
    }`;
    const described = [field.description && `${id}-d`, problem && `${id}-e`].filter(Boolean).join(' ') || nothing;
    const state = { id, described, isRequired, isInvalid: problem !== undefined };
    return field.type === 'array'
      ? html`<fieldset id=${id} aria-describedby=${described} tabindex="-1">
          <legend>${label}</legend>
          ${selectionOf(kit, field, id)}${notes}
        </fieldset>`
      : html`<div class="field ${field.type}" part="field">
          <label for=${id}>${label}</label>${controlOf(kit, field, state, words)}${notes}
        </div>`;
  });
  return html`<fieldset class="form" part="form">
    ${schema.title ? html`<legend>${visible(schema.title)}</legend>` : nothing}
    ${schema.description ? html`<p>${visible(schema.description)}</p>` : nothing}${fields}
  </fieldset>`;
}

interface ControlState {
  id: string;
  described: string | symbol;
  isRequired: boolean;
  isInvalid: boolean;
}

function controlOf(
  kit: Kit,
  field: InputField,
  { id, described, isRequired, isInvalid }: ControlState,
  words: Words,
): TemplateResult {
  const { html, nothing, plain } = kit;
  const { format = '', maxLength = 0, default: given } = field;
  const invalid = isInvalid ? 'true' : 'false';
  const required = isRequired ? 'true' : nothing;
  if (field.type === 'boolean')
    return html`<input
      id=${id}
      type="checkbox"
      .checked=${given === true}
      aria-describedby=${described}
      aria-invalid=${invalid}
    />`;
  const options = optionsOf(field);
  if (options)
    return html`<select id=${id} aria-describedby=${described} aria-invalid=${invalid} aria-required=${required}>
      <option value="">${words.choose}</option>
      ${options.map(({ value, label }, index) => html`<option value=${index} ?selected=${value === given}>${plain(label)}</option>`)}
    </select>`;
  const text = format === 'date-time' ? localTime(textOf(given)) : textOf(given);
  if (field.type === 'string' && !INPUT_TYPES[format] && maxLength > ONE_LINE)
    return html`<textarea
      id=${id}
      rows="3"
      .value=${text}
      aria-describedby=${described}
      aria-invalid=${invalid}
      aria-required=${required}
    ></textarea>`;
  return html`<input
    id=${id}
    type=${INPUT_TYPES[format] ?? INPUT_TYPES[field.type] ?? 'text'}
    step=${field.type === 'integer' ? '1' : field.type === 'number' ? 'any' : nothing}
    .value=${text}
    aria-describedby=${described}
    aria-invalid=${invalid}
    aria-required=${required}
  />`;
}

function selectionOf({ html, visible }: Kit, field: InputField, id: string): TemplateResult[] {
  const chosen = Array.isArray(field.default) ? field.default : [];
  return (optionsOf(field) ?? []).map(
    ({ value, label }, index) =>
      html`<label class="option"
        ><input type="checkbox" id="${id}-o${index}" .checked=${chosen.includes(value)} />${visible(label)}</label
      >`,
  );
}

/** What can be chosen; `undefined` where the user types. */
function optionsOf({ enum: plainOptions, enumNames, oneOf, items }: InputField): Option[] | undefined {
  const titled = oneOf ?? items?.anyOf;
  if (titled) return titled.map(({ const: value, title }) => ({ value, label: title }));
  return (plainOptions ?? items?.enum)?.map((value, index) => ({ value, label: enumNames?.[index] ?? value }));
}

/** What the user has filled in. Fields left empty are left out. */
export function valuesOf(root: ParentNode, schema: InputSchema, key: string): JsonObject {
  const entries = Object.entries(schema.properties).flatMap(([name, field], index): [string, Json][] => {
    const value = valueOf(root, field, `${key}-f${index}`);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}

function valueOf(root: ParentNode, field: InputField, id: string): Json | undefined {
  const find = (name: string): Control | null => root.querySelector<Control>(`#${name}`);
  const isChecked = (name: string): boolean => (find(name) as HTMLInputElement | null)?.checked ?? false;
  const options = optionsOf(field);
  if (field.type === 'array') {
    const chosen = (options ?? []).filter((_option, index) => isChecked(`${id}-o${index}`)).map(({ value }) => value);
    return chosen.length > 0 || field.minItems ? chosen : undefined;
  }
  if (field.type === 'boolean') return isChecked(id);
  const control = find(id);
  const text = control?.value ?? '';
  // What a number field cannot read is no empty field: it is kept, and refused as no number.
  if (text === '') return control?.validity.badInput ? '?' : undefined;
  if (options) return options[Number(text)]?.value;
  if (field.type !== 'string') return Number(text);
  return field.format === 'date-time' ? new Date(text).toISOString() : text;
}

const textOf = (value: Json | undefined): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);

/** As `datetime-local` takes it, in the reader's time zone. */
function localTime(text: string): string {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? '' : new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
