/** W3C Trace Context of a request: where the caller's work belongs in a trace. */
import { ApiHeader } from '../api-docs.js';
import { sealedParam } from '../../isolation/sealed-param.js';
import { readTraceContext } from '../../tracing/trace-context.js';
import { exchangeOf } from '../exchange.js';
import { onMethod } from './api-docs.decorator.js';

/** A header that cannot be read is dropped: a proxy may have written it, and the call is worth more than its trace. */
export const TraceHeaders = (): ParameterDecorator =>
  sealedParam(
    (context) => {
      const { traceparent = [], tracestate = [] } = exchangeOf(context).request.headersDistinct;
      return readTraceContext(traceparent.length === 1 ? traceparent[0] : undefined, tracestate.join());
    },
    [
      onMethod(
        ApiHeader({
          name: 'traceparent',
          required: false,
          description: 'Where the call belongs in a trace, as W3C Trace Context has it; `tracestate` may stand beside it.',
          schema: { type: 'string' },
        }),
      ),
    ],
  );
