/** Rules for names and texts, shared by frames, bodies and paths. */
import { ValidateBy } from 'class-validator';
import { isIdentifier, MAX_IDENTIFIER_LENGTH } from '../../protocol/identifier.js';

export const IDENTIFIER_RULE = `must have 1 to ${MAX_IDENTIFIER_LENGTH} characters of well-formed Unicode without NUL`;
export const NUL_RULE = 'must not contain NUL';

/** A field that names a user, task, channel, message or key. */
export const IsIdentifier = (): PropertyDecorator =>
  ValidateBy({ name: 'isIdentifier', validator: { validate: isIdentifier, defaultMessage: () => IDENTIFIER_RULE } });

/** A text that is stored by itself: SQLite's driver cuts it at a NUL. */
export const HasNoNul = (): PropertyDecorator =>
  ValidateBy({
    name: 'hasNoNul',
    validator: { validate: (value) => typeof value === 'string' && !value.includes('\0'), defaultMessage: () => NUL_RULE },
  });

/** A field that holds a text or a number. */
export const IsTextOrNumber = (): PropertyDecorator =>
  ValidateBy({
    name: 'isTextOrNumber',
    validator: {
      validate: (value) => typeof value === 'string' || typeof value === 'number',
      defaultMessage: () => 'must be a string or a number',
    },
  });
