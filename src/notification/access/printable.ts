/** Characters that a terminal or an editor obeys instead of showing: controls, line separators, directions, invisible ones. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Writes every character that does not show itself as `\uXXXX`, so that no input can forge or reorder a line of a log.
 * JSON stays the same JSON: such characters stand only inside its strings.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
