/**
 * A worker that asks in a process of its own, with a real OpenTelemetry SDK: a node that listens, and one job whose question
 * has a key. It writes single lines of JSON: `port`, every span that ends, and the result.
 */
import { writeSync } from 'node:fs';
import type { Server } from 'node:http';
import 'reflect-metadata';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { NodeTracerProvider, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { portOf, startApp } from '../../src/app/app.js';
import { readConfig } from '../../src/app/app.config.js';
import { NotificationService } from '../../src/notification/index.js';
import type { WorkerLine } from './traced-worker-lines.js';

const say = (line: WorkerLine): void => void writeSync(1, `${JSON.stringify(line)}\n`);

function sayEnd(span: ReadableSpan): void {
  const { traceId, spanId } = span.spanContext();
  const { name, attributes, parentSpanContext, links, status } = span;
  say({
    span: name,
    traceId,
    spanId,
    parentSpanId: parentSpanContext?.spanId,
    links: links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
    attributes,
    failed: status.code === SpanStatusCode.ERROR,
  });
}

const exporter = {
  export: (spans: ReadableSpan[], done: (result: { code: number }) => void): void => {
    spans.forEach(sayEnd);
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();

const app = await startApp(readConfig({ ...process.env, WEBSOCKET_LOG_LEVEL: 'info' }));
say({ port: portOf(app.getHttpServer() as Server) });
const result = await trace.getTracer('worker').startActiveSpan('job', async (span) => {
  const decided = await app
    .get(NotificationService)
    .notifyUser({ message: 'Deploy?' }, 'ann', 'deploy', 1, { key: 'deploy', timeoutMs: null });
  span.end();
  return decided;
});
say({ result: result.outcome, proceed: result.proceed });
