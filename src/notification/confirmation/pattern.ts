/**
 * Patterns of forms. JSON Schema has them in ECMAScript's syntax, whose own engine may run for ever; here they run in time
 * linear in the text, on RE2. What RE2 cannot compute (look-ahead, back-references) is refused when the prompt is opened.
 *
 *  1. A pattern must be valid ECMAScript with the flag `u`. It is then translated where RE2 reads the same signs otherwise.
 *  2. Its size after expansion of `{n,m}` is known before anything is compiled.
 */
import { RE2JS } from 're2js';

const MAX_LENGTH = 512;
/** Instructions of all patterns of a form together. */
export const MAX_SIZE = 2000;
/** A class of a Unicode property is hundreds of ranges. */
const PROPERTY_SIZE = 20;
const SPACES = '\\t\\n\\v\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const NOT_SPACES =
  '\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}';
const ANY_BUT_LINE_ENDS = '[^\\n\\r\\x{2028}\\x{2029}]';

export interface Translated {
  source: string;
  /** At least as many instructions as it compiles to, roughly. */
  size: number;
}

/** @returns what makes the pattern unusable, as text */
export function translate(pattern: string): Translated | string {
  if (pattern.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`;
  try {
    // Parsed only: it never runs.
    new RegExp(pattern, 'u');
  } catch {
    return 'is no regular expression';
  }
  return new Translator(pattern).run();
}

/** @throws Error with RE2's reason */
export function compile({ source }: Translated): RE2JS {
  return RE2JS.compile(source);
}

/** One pass over a pattern that is known to be valid. */
class Translator {
  private at = 0;
  private source = '';
  /** The size of each open group, and of the last atom in it. */
  private readonly groups = [{ size: 0, last: 0 }];

  constructor(private readonly pattern: string) {}

  run(): Translated | string {
    while (this.at < this.pattern.length) {
      const problem = this.step();
      if (problem !== undefined) return problem;
      if (this.groups.reduce((sum, { size }) => sum + size, 0) > MAX_SIZE) return 'is too large';
    }
    return { source: this.source, size: (this.groups[0]?.size ?? 0) + 2 };
  }

  private step(): string | undefined {
    const char = this.pattern.charAt(this.at);
    switch (char) {
      case '\\':
        return this.atom(this.escape(false));
      case '[':
        return this.characterClass();
      case '(':
        return this.open();
      case ')':
        return this.close();
      case '.':
        this.at += 1;
        return this.atom({ text: ANY_BUT_LINE_ENDS, size: 1 });
      case '{':
        return this.repeat();
      default:
        this.at += 1;
        if (!'*+?|^$'.includes(char)) return this.atom({ text: char, size: 1 });
        this.source += char;
        return undefined;
    }
  }

  private atom({ text, size }: { text: string; size: number }): string | undefined {
    const group = this.groups.at(-1);
    if (group) {
      group.size += size;
      group.last = size;
    }
    this.source += text;
    return undefined;
  }

  private open(): string | undefined {
    const [start = '', kind] = this.match(/\((?:\?(:|<[^=!>][^>]*>)?)?/y);
    if (start !== '(' && kind === undefined) return 'must not look ahead or behind, nor change flags';
    this.source += kind === undefined ? '(' : kind === ':' ? '(?:' : '(';
    this.groups.push({ size: 2, last: 0 });
    return undefined;
  }

  private close(): string | undefined {
    this.at += 1;
    const size = this.groups.pop()?.size ?? 0;
    return this.atom({ text: ')', size });
  }

  private repeat(): string | undefined {
    const [text = '', least = '0', most] = this.match(/\{(\d+)(?:,(\d*))?\}/y);
    const group = this.groups.at(-1);
    const times = Math.max(Number(least), Number(most ?? 0), 1);
    if (group) {
      group.size += group.last * (times - 1);
      group.last *= times;
    }
    this.source += text;
    return undefined;
  }

  private characterClass(): string | undefined {
    const [start = ''] = this.match(/\[\^?/y);
    let size = 1;
    let text = start;
    if (this.pattern[this.at] === ']') return 'must not have an empty class';
    while (this.pattern[this.at] !== ']') {
      if (this.pattern[this.at] === '\\') {
        const escape = this.escape(true);
        text += escape.text;
        size += escape.size - 1;
      } else {
        const char = this.pattern.charAt(this.at);
        this.at += 1;
        text += char === '[' || char === '&' || char === '~' ? `\\${char}` : char;
      }
    }
    this.at += 1;
    return this.atom({ text: `${text}]`, size });
  }

  private escape(inClass: boolean): { text: string; size: number } {
    const [property] = this.match(/\\[pP]\{[^}]*\}/y);
    if (property !== undefined) return { text: property, size: PROPERTY_SIZE };
    const [, pairs, braced, plain, hex, control] = this.match(
      /\\(?:u([dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2})|u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})|c([a-zA-Z]))/y,
    );
    if (pairs !== undefined) {
      const [high = '', low = ''] = pairs.split('\\u');
      const code = (Number.parseInt(high, 16) - 0xd800) * 0x400 + Number.parseInt(low, 16) - 0xdc00 + 0x10000;
      return { text: `\\x{${code.toString(16)}}`, size: 1 };
    }
    const code = braced ?? plain ?? hex;
    if (code !== undefined) return { text: `\\x{${code}}`, size: 1 };
    if (control !== undefined) return { text: `\\x{${(control.charCodeAt(0) % 32).toString(16)}}`, size: 1 };
    const text = this.pattern.slice(this.at, this.at + 2);
    this.at += 2;
    if (text === '\\s') return { text: inClass ? SPACES : `[${SPACES}]`, size: 1 };
    if (text === '\\S') return { text: inClass ? NOT_SPACES : `[${NOT_SPACES}]`, size: 1 };
    if (text === '\\0') return { text: '\\x{0}', size: 1 };
    if (inClass && text === '\\b') return { text: '\\x{8}', size: 1 };
    return { text, size: 1 };
  }

  /** @returns the match and its groups, and steps over it */
  private match(sticky: RegExp): (string | undefined)[] {
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.pattern) ?? [];
    this.at += found[0]?.length ?? 0;
    return found;
  }
}
