/** The fields of `confirm`. */
import { Allow, IsBoolean, IsObject, IsOptional, IsString } from 'class-validator';
import type { Json, JsonObject } from '../../../protocol/confirmation.js';
import { InvalidMessageError } from '../../notification.errors.js';
import { HasNoNul, IsIdentifier } from '../../validation/field-rules.js';

export class ConfirmDto {
  @IsIdentifier()
  callback_id!: string;

  @IsOptional()
  @IsBoolean()
  proceed?: boolean | null;

  @IsOptional()
  @IsString()
  @HasNoNul()
  feedback?: string | null;

  @IsOptional()
  @IsString()
  choice?: string | null;

  @IsOptional()
  @IsObject()
  values?: JsonObject | null;

  /** Any JSON. */
  @Allow()
  edited?: Json;

  @IsOptional()
  @IsString()
  digest?: string | null;
}

/** The fields of `confirm`, and those with which old clients name the prompt. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['action', 'request_id', 'callback_id', 'proceed', 'feedback', 'choice', 'values', 'edited', 'digest'],
  ...['type', 'user_id', 'task_id', 'step', 'timestamp'],
]);

/**
 * Without `proceed` and `choice` an answer means no, for old clients. That is not so for a frame with an unknown field, which
 * may be a misspelt `proceed`, and for a `null`.
 * @throws InvalidMessageError
 */
export function assertUnderstood(frame: Readonly<Record<string, unknown>>): void {
  const { proceed, choice } = frame;
  if (proceed != null || choice != null) return;
  const nulls = ['proceed', 'choice'].filter((name) => frame[name] === null);
  if (nulls.length > 0)
    throw new InvalidMessageError(
      Object.fromEntries(nulls.map((name) => [name, 'must not be null in an answer without the other'])),
    );
  const unknown = Object.keys(frame).filter((name) => !KNOWN.has(name));
  if (unknown.length > 0)
    throw new InvalidMessageError(
      Object.fromEntries(unknown.map((name) => [name, 'is no field of this, and there is neither proceed nor choice'])),
    );
}
