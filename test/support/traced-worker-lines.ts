/** What `traced-worker.ts` writes. */
export interface SpanLine {
  span: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  links: { traceId: string; spanId: string }[];
  attributes: object;
  failed: boolean;
}

export type WorkerLine = SpanLine | { port: number } | { result: string; proceed: boolean };
