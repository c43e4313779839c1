/**
 * For tests: a store of which any step can be made to fail, to stall, or to take the thread with it. A step is a statement or a
 * transaction's begin, commit or rollback; `match` is a piece of its SQL.
 */
import { SqliteError, type Sqlite, type SqlValue } from '../../src/notification/engine/embedded/sqlite.js';

export interface Fault {
  /** Only steps whose SQL contains this; any step when absent. */
  match?: string;
  /** How many matching steps pass first. @default 0 */
  skip?: number;
  /** How many steps are hit then. @default 1 */
  times?: number;
  effect: { kind: 'error'; resultCode: number } | { kind: 'stall'; ms: number } | { kind: 'exit' };
}

export class FaultySqlite implements Sqlite {
  private fault: Required<Fault> | undefined;

  constructor(private readonly database: Sqlite) {}

  inject(fault: Fault): void {
    this.fault = { match: '', skip: 0, times: 1, ...fault };
  }

  exec(sql: string): void {
    this.step(sql);
    this.database.exec(sql);
  }

  prepare<Row>(sql: string): ReturnType<typeof this.database.prepare<Row>> {
    const statement = this.database.prepare<Row>(sql);
    const faulty =
      <Result>(action: (...params: SqlValue[]) => Result) =>
      (...params: SqlValue[]): Result => {
        this.step(sql);
        return action(...params);
      };
    return { get: faulty(statement.get), all: faulty(statement.all), run: faulty(statement.run) };
  }

  close(): void {
    this.database.close();
  }

  private step(sql: string): void {
    const fault = this.fault;
    if (!fault || fault.times === 0 || !sql.includes(fault.match)) return;
    if (fault.skip > 0) {
      fault.skip -= 1;
      return;
    }
    fault.times -= 1;
    const { effect } = fault;
    if (effect.kind === 'exit') process.exit(1);
    if (effect.kind === 'stall') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, effect.ms);
    else throw new SqliteError('injected fault', effect.resultCode);
  }
}
