// Sends spans for some seconds in many small requests and prints which were acknowledged and which were not.
const { Resource } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');

const exporter = new OTLPTraceExporter({ url: `${process.argv[2]}/v1/traces`, timeoutMillis: 3000 });
const sent = { acknowledged: [], failed: [] };
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) => send(spans, (result) => {
  (result.code === 0 ? sent.acknowledged : sent.failed).push(...spans.map((span) => span.spanContext().spanId));
  done(result);
});
const provider = new BasicTracerProvider({
  resource: new Resource({ 'service.name': 'steady' }),
  spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 20, maxExportBatchSize: 50 })],
});
const tracer = provider.getTracer('steady');
const timer = setInterval(() => { for (let i = 0; i < 5; ++i) tracer.startSpan(`work ${i}`).end(); }, 10);
setTimeout(async () => {
  clearInterval(timer);
  await provider.shutdown();
  console.log(JSON.stringify(sent));
}, 6500);
