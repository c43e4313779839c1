/** JSON Schema's formats of a form. Each check takes time linear in the text. */

const MAX_EMAIL_LENGTH = 320;
const EMAIL_NAME = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i;
const URI_PARTS = /^[a-z][a-z0-9+.-]*:(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;
const AUTHORITY = /^(?:[^@[\]]*@)?(?:\[[0-9a-f:.]+\]|\[v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+\]|[^@:[\]]*)(?::\d*)?$/i;
const URI_TEXT = /^(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*$/i;
const AUTHORITY_TEXT = /^(?:[\w.~!$&'()*+,;=:@[\]-]|%[0-9a-f]{2})*$/i;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i;

export const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  email: isEmail,
  uri: isUri,
  date: isDate,
  'date-time': isMoment,
};

function isEmail(text: string): boolean {
  if (text.length > MAX_EMAIL_LENGTH) return false;
  const at = text.lastIndexOf('@');
  const labels = text.slice(at + 1).split('.');
  return at > 0 && EMAIL_NAME.test(text.slice(0, at)) && labels.length > 1 && labels.every((label) => HOST_LABEL.test(label));
}

/** RFC 3986. */
function isUri(text: string): boolean {
  const parts = URI_PARTS.exec(text);
  if (!parts) return false;
  const [, authority = '', path = '', query = '', fragment = ''] = parts;
  return (
    AUTHORITY_TEXT.test(authority) && AUTHORITY.test(authority) && [path, query, fragment].every((part) => URI_TEXT.test(part))
  );
}

function isDate(text: string): boolean {
  const [year, month, day] = DATE.exec(text)?.slice(1).map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined || month < 1 || month > 12 || day < 1) return false;
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 ? (isLeapYear ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return day <= days;
}

/** RFC 3339; a leap second only where there can be one, at the end of a UTC day. */
function isMoment(text: string): boolean {
  const separator = text[10]?.toLowerCase();
  const time = TIME.exec(text.slice(11));
  if ((separator !== 't' && separator !== ' ') || !isDate(text.slice(0, 10)) || !time) return false;
  const [hour = 0, minute = 0, second = 0] = time.slice(1, 4).map(Number);
  const [zoneHour = 0, zoneMinute = 0] = time.slice(5, 7).map((part) => Number(part || 0));
  if (hour > 23 || minute > 59 || zoneHour > 23 || zoneMinute > 59) return false;
  if (second < 60) return true;
  const offset = (zoneHour * 60 + zoneMinute) * (time[4] === '-' ? -1 : 1);
  return second === 60 && (((hour * 60 + minute - offset) % 1440) + 1440) % 1440 === 1439;
}
