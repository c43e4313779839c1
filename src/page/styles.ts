/** How the element looks. The property color-scheme chooses light or dark; --inbox-… and ::part the rest. */

export const STYLES = `
  :host {
    --ink: var(--inbox-ink, light-dark(#1c1e21, #e8eaed));
    --quiet: var(--inbox-quiet, light-dark(#565b63, #a9b0ba));
    --paper: var(--inbox-paper, light-dark(#fff, #1f2227));
    --line: var(--inbox-line, light-dark(#d5d9df, #3a3f47));
    --field-line: light-dark(#767c86, #8a919c);
    --accent: var(--inbox-accent, light-dark(#1a56c4, #8ab4f8));
    --on-accent: var(--inbox-on-accent, light-dark(#fff, #10151d));
    --bad: var(--inbox-bad, light-dark(#b3261e, #f6a8a2));
    --good: var(--inbox-good, light-dark(#146c2e, #7dd89a));
    display: block;
    color: var(--ink);
    font: var(--inbox-font, 1rem/1.5 system-ui, sans-serif);
    overflow-wrap: anywhere;
  }
  :host([hidden]) {
    display: none;
  }
  * {
    box-sizing: border-box;
  }
  h2 {
    font-size: 1.1em;
    margin: 1.2em 0 0.5em;
  }
  h3 {
    font-size: 1em;
    margin: 0;
  }
  p,
  dl,
  ol,
  pre {
    margin: 0.4em 0;
  }
  bdi {
    white-space: pre-wrap;
  }
  small,
  .quiet {
    color: var(--quiet);
    font-size: 0.875em;
  }
  .state::before {
    content: '●';
    margin-inline-end: 0.4em;
    color: var(--bad);
  }
  .state.open::before {
    color: var(--good);
  }
  .card,
  .tasks > li {
    background: var(--paper);
    border: 1px solid var(--line);
    border-radius: var(--inbox-radius, 10px);
    padding: 0.9em 1em;
  }
  .cards > li,
  .tasks > li {
    padding-bottom: 0.75em;
  }
  .card.expiring {
    border-inline-start: 4px solid var(--bad);
  }
  .tasks > li {
    content-visibility: auto;
    contain-intrinsic-size: auto 8em;
  }
  .cards,
  .tasks {
    list-style: none;
    padding: 0;
    margin: 0;
  }
  :focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  ol {
    padding-inline-start: 1.6em;
  }
  dl div {
    display: grid;
    grid-template-columns: fit-content(40%) minmax(0, 1fr);
    gap: 0 0.8em;
  }
  dt {
    color: var(--quiet);
  }
  dd {
    margin: 0;
    min-width: 0;
  }
  .box {
    border: 1px solid var(--line);
    border-radius: 6px;
    padding: 0.4em 0.7em;
    margin: 0.5em 0;
    min-width: 0;
  }
  code,
  pre,
  .code {
    font-family: ui-monospace, monospace;
    font-size: 0.9em;
  }
  mark {
    background: light-dark(#ffe08a, #6b5200);
    color: inherit;
    border-radius: 3px;
    font-family: ui-monospace, monospace;
    font-size: 0.8em;
    padding: 0 0.2em;
    unicode-bidi: isolate;
    direction: ltr;
  }
  ins,
  del {
    display: block;
    text-decoration: none;
    color: var(--good);
  }
  del {
    color: var(--bad);
  }
  .problem,
  .bad {
    color: var(--bad);
  }
  .good {
    color: var(--good);
  }
  fieldset {
    border: 1px solid var(--line);
    border-radius: 6px;
    margin: 0.6em 0;
    min-width: 0;
  }
  .field,
  .option,
  fieldset > small,
  .field > small,
  .field > .problem {
    display: block;
    margin: 0.4em 0;
  }
  .field.boolean {
    display: flex;
    flex-flow: row-reverse wrap;
    justify-content: start;
    gap: 0.5em;
  }
  input:not([type='checkbox']),
  select,
  textarea {
    display: block;
    width: 100%;
    font: inherit;
    color: inherit;
    background: var(--paper);
    border: 1px solid var(--field-line);
    border-radius: 6px;
    padding: 0.45em 0.6em;
  }
  [aria-invalid='true'] {
    border-color: var(--bad);
  }
  input[type='checkbox'] {
    inline-size: 1.25em;
    block-size: 1.25em;
    vertical-align: middle;
    margin-inline-end: 0.5em;
    accent-color: var(--accent);
  }
  .actions {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5em;
    margin-top: 0.7em;
  }
  button {
    font: inherit;
    min-height: 2.75em;
    padding: 0.3em 1em;
    border-radius: 8px;
    border: 1px solid var(--field-line);
    background: transparent;
    color: inherit;
    cursor: pointer;
    max-width: 100%;
  }
  button.main {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  .tabs {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25em;
    margin: 0.5em 0 1em;
    border-bottom: 1px solid var(--line);
  }
  .tabs button {
    border: 0;
    border-bottom: 3px solid transparent;
    border-radius: 0;
    color: var(--quiet);
  }
  .tabs [aria-current] {
    border-color: var(--accent);
    color: var(--ink);
  }
  dialog {
    background: var(--paper);
    color: inherit;
    border: 1px solid var(--line);
    border-radius: var(--inbox-radius, 10px);
    max-width: min(46rem, 100% - 1rem);
    inline-size: 100%;
    padding: 1em;
  }
  button:disabled {
    background: transparent;
    border-color: var(--field-line);
    color: var(--quiet);
  }
  button.plain {
    border-color: transparent;
    color: var(--quiet);
  }
  progress {
    width: 100%;
    accent-color: var(--accent);
  }
  .room {
    visibility: hidden;
  }
  [hidden] {
    display: none;
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  @media (forced-colors: active) {
    button.main {
      border-width: 3px;
    }
    mark {
      outline: 1px solid;
    }
  }
`;
