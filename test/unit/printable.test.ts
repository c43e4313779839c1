/** Text that a terminal or an editor shows, and never obeys. */
import { printable } from '../../src/notification/access/printable.js';

describe('text for the log', () => {
  it.each([
    [0x00, 0x1f],
    [0x7f, 0x9f],
    [0x200b, 0x200f],
    [0x2028, 0x202e],
    [0x2060, 0x2064],
    [0x2066, 0x206f],
    [0x61c, 0x61c],
    [0xfeff, 0xfeff],
    [0xfff9, 0xfffb],
    [0xe0001, 0xe0001],
    [0xe0020, 0xe007f],
  ])('has every character from U+%p to U+%p escaped, so that JSON stays the same JSON', (first, last) => {
    for (let code = first; code <= last; code += 1) {
      const text = `a${String.fromCodePoint(code)}b`;
      const line = printable(JSON.stringify(text));
      expect([code.toString(16), line.includes(text)]).toEqual([code.toString(16), false]);
      expect(line).toMatch(/^[\x20-\x7e]+$/);
      expect(JSON.parse(line)).toBe(text);
    }
  });

  it('keeps what shows itself: letters of any script, combining marks, emoji, quotes and backslashes', () => {
    const text = 'Grüße, नमस्ते, مرحبا, 日本, e\u0301, 😀, "\\"';
    expect(printable(text)).toBe(text);
  });
});
