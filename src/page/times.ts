/** Times as people read them. */
import { fill } from './words.js';

/** The language around an element, for `Intl`. English where it is none that `Intl` knows. */
export function languageOf(element: Element): string {
  try {
    return Intl.getCanonicalLocales(element.closest<HTMLElement>('[lang]')?.lang)[0] ?? 'en';
  } catch {
    return 'en';
  }
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;

/** `5 minutes ago`. */
export function ageOf(ms: number, language: string): string {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= unitMs) ?? UNITS[3];
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-Math.max(0, Math.floor(ms / size)), unit);
}

/** `4:59`, `1:04:59` or `2d 1:04:59`. @param template of the days and the rest, `{n}d {time}` */
export function timeLeft(ms: number, template: string): string {
  const seconds = Math.ceil(ms / 1000);
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = (seconds % 3600) / 60;
  const time = `${days || hours ? `${hours}:${two(minutes)}` : Math.floor(minutes)}:${two(seconds % 60)}`;
  return days ? fill(template, { n: days, time }) : time;
}

/** The time, and the date unless it is today. */
export function timeOf(at: number, language: string): string {
  const date = new Date(at);
  return date.toDateString() === new Date().toDateString() ? date.toLocaleTimeString(language) : date.toLocaleString(language);
}
