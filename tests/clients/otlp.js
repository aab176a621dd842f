// Sends the three signals by OpenTelemetry's JS SDK and prints what it has sent.
//   node otlp.js PROTOCOL ENDPOINT SERVICE [COUNT]     PROTOCOL: http/protobuf, http/json or grpc
const api = require('@opentelemetry/api');
const { Resource } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const metrics = require('@opentelemetry/sdk-metrics');
const logs = require('@opentelemetry/sdk-logs');
const { SeverityNumber } = require('@opentelemetry/api-logs');

const [protocol, endpoint, service, count = '50'] = process.argv.slice(2);
const kind = { 'http/protobuf': 'proto', 'http/json': 'http', grpc: 'grpc' }[protocol];
const url = (path) => ({ url: kind === 'grpc' ? endpoint : endpoint + path });
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${kind}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);

const resource = new Resource({ 'service.name': service, 'service.instance.id': 'i-1', 'k8s.pod.name': 'pod-1' });
const sent = { spans: [], logs: 0, exported: [] };
const nanos = ([seconds, rest]) => (BigInt(seconds) * 1000000000n + BigInt(rest)).toString();

async function main() {
  const tracerProvider = new BasicTracerProvider({
    resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(url('/v1/traces')))],
  });
  const tracer = tracerProvider.getTracer('clients', '1.2.3');
  const loggerProvider = new logs.LoggerProvider({ resource });
  loggerProvider.addLogRecordProcessor(new logs.BatchLogRecordProcessor(new OTLPLogExporter(url('/v1/logs'))));
  const logger = loggerProvider.getLogger('clients', '1.2.3');
  const reader = new metrics.PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(url('/v1/metrics')), exportIntervalMillis: 3600000,
  });
  const meterProvider = new metrics.MeterProvider({
    resource, readers: [reader],
    views: [
      new metrics.View({ instrumentName: 'sizes', aggregation: new metrics.ExponentialHistogramAggregation() }),
      new metrics.View({
        instrumentName: 'latency', aggregation: new metrics.ExplicitBucketHistogramAggregation([0.1, 0.5, 1]),
      }),
    ],
  });
  const meter = meterProvider.getMeter('clients', '1.2.3');

  const record = (span, extra) => sent.spans.push({
    trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId, parent_id: span.parentSpanId || '',
    start: nanos(span.startTime), end: nanos(span.endTime), name: span.name, ...extra,
  });
  for (let i = 0; i < Number(count); ++i) {
    const root = tracer.startSpan(`GET /${i % 5}`, {
      kind: api.SpanKind.SERVER, attributes: { text: `ä${i}`, whole: i, real: i + 0.5, flag: i % 2 === 0, list: ['a', 'b'] },
    });
    const inside = api.trace.setSpan(api.context.active(), root);
    const child = tracer.startSpan('query', {
      kind: api.SpanKind.CLIENT,
      links: [{ context: root.spanContext(), attributes: { why: 'test' } }],
    }, inside);
    child.addEvent('cache.miss', { key: `k${i}` });
    child.recordException(new RangeError(`bad ${i}`));
    child.setStatus({ code: api.SpanStatusCode.ERROR, message: `failed ${i}` });
    logger.emit({
      severityNumber: SeverityNumber.ERROR, severityText: 'ERROR', body: `query ${i} failed`,
      attributes: { request_id: `r-${i}`, n: i, nested: { a: 1, b: { c: true } } }, context: inside,
    });
    sent.logs += 1;
    child.end();
    root.end();
    record(root, { kind: 'server', status: 'unset' });
    record(child, { kind: 'client', status: 'error' });
  }
  const counter = meter.createCounter('requests', { unit: '{request}' });
  const upDown = meter.createUpDownCounter('queue.length');
  const latency = meter.createHistogram('latency', { unit: 's' });
  const sizes = meter.createHistogram('sizes', { unit: 'By' });
  meter.createObservableGauge('temperature', { unit: 'Cel' }).addCallback((result) => result.observe(21.5, { room: 'a' }));
  for (let i = 0; i < 100; ++i) {
    counter.add(2, { route: `/${i % 2}` });
    upDown.add(i % 3 === 0 ? -1 : 1);
    latency.record((i % 20) / 10, { route: '/' });
    sizes.record(i + 1);
  }
  // SDKs flush when they are shut down; what fails shows as an error there.
  await tracerProvider.shutdown();
  await loggerProvider.shutdown();
  await meterProvider.shutdown();
  console.log(JSON.stringify(sent));
}
api.diag.setLogger({ verbose() {}, debug() {}, info() {}, warn: console.error, error: console.error });
main().catch((error) => { console.error(error); process.exit(1); });
