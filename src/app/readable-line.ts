/**
 * A log line for a person at a terminal, made from the line of JSON: time, level, logger, text, then the other fields.
 * What a terminal would obey stays escaped, as in the JSON.
 */
import { printable } from '../notification/service-door.js';

/** Name and colour of each of pino's levels. */
const LEVELS: ReadonlyMap<unknown, readonly [name: string, colour: number]> = new Map([
  [10, ['TRACE', 90]],
  [20, ['DEBUG', 90]],
  [30, ['INFO ', 32]],
  [40, ['WARN ', 33]],
  [50, ['ERROR', 31]],
  [60, ['FATAL', 31]],
]);

/** @param json one line of the log. @param colours whether the terminal shows them. @returns one line, and the stack of an error */
export function readableLine(json: string, colours: boolean): string {
  const { level, time, context, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const [name, colour] = LEVELS.get(level) ?? ['     ', 0];
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const parts = [paint(90, timeOf(Number(time))), paint(colour, name)];
  if (typeof context === 'string') parts.push(paint(36, `[${printable(context)}]`));
  if (typeof msg === 'string') parts.push(printable(msg));
  const rest = Object.entries(fields).map(([field, value]) => printable(`${field}=${textOf(value)}`));
  if (rest.length > 0) parts.push(paint(90, rest.join(' ')));
  return `${[parts.join(' '), ...stackOf(err)].join('\n')}\n`;
}

/** The local time of day. */
function timeOf(time: number): string {
  const moment = new Date(time);
  const [hours, minutes, seconds] = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) =>
    String(part).padStart(2, '0'),
  );
  return `${hours}:${minutes}:${seconds}.${String(moment.getMilliseconds()).padStart(3, '0')}`;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function stackOf(error: unknown): string[] {
  const { stack } = (error ?? {}) as { stack?: unknown };
  return typeof stack === 'string' ? stack.split('\n').slice(1).map(printable) : [];
}
