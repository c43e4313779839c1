/**
 * SQLite behind three verbs. `node:sqlite` where this Node has it (no native package needed), else `libsql`.
 *
 * Both bind a missing parameter as NULL without a word, so statements here count theirs. Errors of both become
 * `SqliteError` with SQLite's primary result code.
 */
import type Libsql from 'libsql';
import { ConfigurationError } from '../../notification.errors.js';

export type SqlValue = string | number | null;

export interface Statement<Row> {
  readonly get: (...params: SqlValue[]) => Row | undefined;
  readonly all: (...params: SqlValue[]) => Row[];
  /** @returns how many rows changed */
  readonly run: (...params: SqlValue[]) => number;
}

export interface Sqlite {
  exec(sql: string): void;
  prepare<Row = never>(sql: string): Statement<Row>;
  close(): void;
}

/** Primary result codes of SQLite that mean something to us. */
export const RESULT = { BUSY: 5, IOERR: 10, CORRUPT: 11, FULL: 13, NOT_A_DATABASE: 26, UNKNOWN: 1 } as const;

export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  constructor(
    message: string,
    readonly resultCode: number,
  ) {
    super(message);
  }
}

/** What the two drivers have in common once their parameters are an array. */
interface DriverStatement {
  get(params: SqlValue[]): unknown;
  all(params: SqlValue[]): unknown[];
  run(params: SqlValue[]): { changes: number | bigint };
}

/** As much of `node:sqlite` as is used; the types of Node 20 do not know it. */
interface NativeDatabase {
  exec(sql: string): void;
  close(): void;
  prepare(sql: string): {
    get(...params: SqlValue[]): unknown;
    all(...params: SqlValue[]): unknown[];
    run(...params: SqlValue[]): { changes: number | bigint };
  };
}
type NativeSqlite = { DatabaseSync: new (path: string) => NativeDatabase };

export async function openSqlite(path: string): Promise<Sqlite> {
  const native = process.getBuiltinModule('node:sqlite') as NativeSqlite | undefined;
  if (native) {
    const database = wrapErrors(() => new native.DatabaseSync(path));
    return adapt(database, (sql) => spread(database, sql));
  }
  const { default: Database } = await import('libsql').catch((cause: unknown) => {
    throw new ConfigurationError(
      `the embedded engine needs Node 22.13 or newer, or the package libsql (npm install libsql): ${String(cause)}`,
    );
  });
  const database: Libsql.Database = wrapErrors(() => new Database(path));
  return adapt(database, (sql) => named(database.prepare(sql)));
}

function spread(database: NativeDatabase, sql: string): DriverStatement {
  const statement = database.prepare(sql);
  return {
    get: (params) => statement.get(...params),
    all: (params) => statement.all(...params),
    run: (params) => statement.run(...params),
  };
}

/** libsql hands over arrays in less time than objects, and without the `_metadata` that it puts into those. */
function named(statement: Libsql.Statement): DriverStatement {
  const names = statement.columns().map(({ name }) => name);
  if (names.length > 0) statement.raw();
  const row = (values: unknown[]): Record<string, unknown> => {
    const object: Record<string, unknown> = {};
    for (const [index, name] of names.entries()) object[name] = values[index];
    return object;
  };
  return {
    get: (params) => {
      const values = statement.get(params) as unknown[] | undefined;
      return values && row(values);
    },
    all: (params) => (statement.all(params) as unknown[][]).map(row),
    run: (params) => statement.run(params),
  };
}

function adapt(database: { exec(sql: string): unknown; close(): unknown }, prepare: (sql: string) => DriverStatement): Sqlite {
  return {
    exec: (sql) => void wrapErrors(() => database.exec(sql)),
    close: () => void wrapErrors(() => database.close()),
    prepare<Row>(sql: string): Statement<Row> {
      const statement = wrapErrors(() => prepare(sql));
      const expected = sql.split('?').length - 1;
      const check = (params: SqlValue[]): SqlValue[] => {
        if (params.length !== expected || params.includes(undefined as never))
          throw new TypeError(`wrong parameters for: ${sql}`);
        return params;
      };
      return {
        get: (...params) => wrapErrors(() => statement.get(check(params))) as Row | undefined,
        all: (...params) => wrapErrors(() => statement.all(check(params))) as Row[],
        run: (...params) => Number(wrapErrors(() => statement.run(check(params))).changes),
      };
    },
  };
}

/** The result code is libsql's `rawCode` or node:sqlite's `errcode`; for a failed open libsql has it only in its text. */
interface DriverError {
  message: string;
  rawCode?: number;
  errcode?: number;
}

function wrapErrors<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const { message, rawCode, errcode } = error as DriverError;
    throw new SqliteError(message, (rawCode ?? errcode ?? RESULT.UNKNOWN) & 0xff);
  }
}
