/**
 * How a script is made: a name, its kind, and Lua that may use the names, the clock and the steps below.
 *
 *  1. The clock is Redis' own. It does not follow the server's jumps: `offset` takes them back (see `tick`). `order()` gives
 *     every change its place.
 *  2. Optional arguments travel as 'n' (none) or 's<text>'; unset fields come back as nil.
 *  3. Scripts that settle or end something run even when Redis is out of memory.
 *  4. A script carries only the names and steps that it uses: Redis would make every function of them anew for each run.
 */
import { createHash } from 'node:crypto';
import type { Scope } from '../../engine.js';
import { LUA_KEYS } from '../keys.js';

export interface Script {
  name: string;
  source: string;
  sha: string;
  /** Whether somebody counts on it: with WAIT, replicas must have it before the call resolves. */
  counts: boolean;
}

/**
 * `adds` something new, and is refused when Redis is out of memory; `settles` or ends something; `tells` what was settled;
 * `notes` what the nodes need themselves, or what follows from the clock; only `reads`.
 */
export type Kind = 'adds' | 'settles' | 'tells' | 'notes' | 'reads';

const CLOCK = `
local function text(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local clock = redis.call('HMGET', META, 'order', 'offset', 'seen')
local last = tonumber(clock[1] or '0')
local offset = tonumber(clock[2] or '0')
local micros = math.max(time[1] * 1000000 + time[2] + offset * 1000, tonumber(clock[3] or '0') * 1000)
local now = math.floor(micros / 1000)
local function order()
  last = math.max(micros, last + 1)
  redis.call('HSET', META, 'order', text(last))
  return text(last)
end
-- which life of which server this is: another after a restart, a fail-over, or the move of a slot
local function life() return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
local function optional(value) if string.sub(value, 1, 1) == 's' then return string.sub(value, 2) end return false end
local function put(key, field, value) if value then redis.call('HSET', key, field, value) end end
-- one of the same name goes on above the floor: no offset is given twice within an epoch
local function forget_channel(channel)
  local head = tonumber(redis.call('GET', HEAD(channel)) or '0')
  if head > tonumber(redis.call('HGET', META, 'floor') or '0') then redis.call('HSET', META, 'floor', text(head)) end
  redis.call('DEL', HEAD(channel), HISTORY(channel))
  redis.call('ZREM', CHANNELS, channel)
end
local function within(scope, user)
  if scope == 'all' then return true end
  for _, each in ipairs(cjson.decode(scope)) do if each == user then return true end end
  return false
end
`;

export function script(name: string, kind: Kind, ...parts: string[]): Script {
  const flags = kind === 'adds' ? '' : ' flags=allow-oom';
  const source = `#!lua${flags}\n-- ${name}\n${onlyUsed(`${LUA_KEYS}${CLOCK}${parts.slice(0, -1).join('\n')}`, parts.at(-1) ?? '')}`;
  return { name, source, sha: createHash('sha1').update(source).digest('hex'), counts: kind !== 'notes' && kind !== 'reads' };
}

/** A body with what it uses of the definitions before it, each of which starts a line with `local`. */
function onlyUsed(definitions: string, body: string): string {
  const used = (text: string, names: string): boolean =>
    names.split(/[ ,]+/).some((name) => new RegExp(`\\b${name}\\b`).test(text));
  return definitions
    .replace(/^--.*\n/gm, '')
    .split(/^(?=local )/m)
    .reduceRight((text, definition) => {
      const names = /^local (?:function (\w+)|([\w, ]+?)(?: =|$))/m.exec(definition);
      return names && used(text, names[1] ?? names[2] ?? '') ? definition + text : text;
    }, body);
}

export const optional = (value: string | null | undefined): string => (value == null ? 'n' : `s${value}`);

/** As `within` reads it. */
export const scopeText = (scope: Scope): string => (scope === 'all' ? 'all' : JSON.stringify(scope));
