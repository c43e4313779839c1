/**
 * Finds what `JSON.parse` changes without an error: a number that a double cannot hold, and a repeated field name.
 *
 * Most texts have neither. One pass over the text decides whether an exact scan is needed.
 */
import { NOT_EXACT, within, type JsonFault } from './json.js';

const QUOTE = 0x22;
const COLON = 0x3a;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
/** Every number of 15 digits survives a double. */
const SAFE_LENGTH = 15;

/**
 * The first loss in a text that `JSON.parse` has made `value` of.
 * @param value at most `MAX_DEPTH` deep
 */
export function findLoss(text: string, value: unknown): JsonFault | undefined {
  return needsCloserLook(text, value) ? new LossScanner(text).value() : undefined;
}

/** Whether the text has more field names than the value, or a number that is long or has an exponent. */
function needsCloserLook(text: string, value: unknown): boolean {
  let names = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      digits = 0;
    } else if ((code >= ZERO && code <= NINE) || code === POINT) {
      digits += 1;
      if (digits > SAFE_LENGTH) return true;
    } else {
      if (digits > 0 && (code === LOWER_E || code === UPPER_E)) return true;
      if (code === COLON) names += 1;
      digits = 0;
    }
  }
  return names !== countNames(value);
}

function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return members.reduce<number>((sum, member) => sum + countNames(member), Array.isArray(value) ? 0 : members.length);
}

/** Where the quote stands that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}

/** Walks a text that is known to be JSON, and stops at the first loss. */
class LossScanner {
  private at = 0;

  constructor(private readonly text: string) {}

  value(): JsonFault | undefined {
    this.skipSpace();
    switch (this.text[this.at]) {
      case '{':
        return this.object();
      case '[':
        return this.array();
      case '"':
        this.string();
        return undefined;
      default:
        return isExact(this.scalar()) ? undefined : { path: '', problem: NOT_EXACT };
    }
  }

  private object(): JsonFault | undefined {
    const names = new Set<string>();
    if (this.isEmpty('}')) return undefined;
    for (;;) {
      this.skipSpace();
      const name = this.string();
      if (names.has(name)) return within(name, { path: '', problem: 'is given twice' });
      names.add(name);
      this.skipSpace();
      this.at += 1;
      const fault = this.value();
      if (fault) return within(name, fault);
      if (this.ends('}')) return undefined;
    }
  }

  private array(): JsonFault | undefined {
    if (this.isEmpty(']')) return undefined;
    for (let index = 0; ; index += 1) {
      const fault = this.value();
      if (fault) return within(String(index), fault);
      if (this.ends(']')) return undefined;
    }
  }

  /** Steps into an object or array, and out again if there is nothing in it. */
  private isEmpty(close: string): boolean {
    this.at += 1;
    this.skipSpace();
    if (this.text[this.at] !== close) return false;
    this.at += 1;
    return true;
  }

  private ends(close: string): boolean {
    this.skipSpace();
    this.at += 1;
    return this.text[this.at - 1] === close;
  }

  private string(): string {
    const start = this.at;
    const end = endOfString(this.text, start);
    this.at = end + 1;
    return JSON.parse(this.text.slice(start, end + 1)) as string;
  }

  private scalar(): string {
    const token = /[\w+.-]+/y;
    token.lastIndex = this.at;
    const [text = ''] = token.exec(this.text) ?? [];
    this.at += text.length;
    return text;
  }

  private skipSpace(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1;
  }
}

/** Whether a double prints the same number again. `true`, `false` and `null` are exact. */
function isExact(token: string): boolean {
  if (/^[tfn]/.test(token)) return true;
  const value = Number(token);
  return Number.isFinite(value) && decimalOf(token) === decimalOf(String(value));
}

/** A decimal number in one spelling: its digits without zeros at either end, and the power of ten of the last. */
function decimalOf(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const digits = whole + fraction;
  let first = 0;
  while (digits[first] === '0') first += 1;
  let end = digits.length;
  while (end > first && digits[end - 1] === '0') end -= 1;
  if (first === end) return '0';
  return `${digits.slice(first, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}
