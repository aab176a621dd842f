// Sends spans by the older exporters and prints what it has sent.
//   node traces.js EXPORTER TARGET SERVICE [COUNT]
//     jaeger-udp PORT, jaeger-http URL, zipkin URL         OpenTelemetry's exporters
//     jaeger-client PORT, jaeger-client-http URL           Jaeger's own client
const [exporter, target, service, count = '20'] = process.argv.slice(2);
const sent = { spans: [] };

async function openTelemetry() {
  const api = require('@opentelemetry/api');
  const { Resource } = require('@opentelemetry/resources');
  const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
  const { JaegerExporter } = require('@opentelemetry/exporter-jaeger');
  const { ZipkinExporter } = require('@opentelemetry/exporter-zipkin');
  const made = exporter === 'zipkin' ? new ZipkinExporter({ url: target })
    : exporter === 'jaeger-http' ? new JaegerExporter({ endpoint: target })
      : new JaegerExporter({ host: '127.0.0.1', port: Number(target) });
  const provider = new BasicTracerProvider({
    resource: new Resource({ 'service.name': service }), spanProcessors: [new BatchSpanProcessor(made)],
  });
  const tracer = provider.getTracer('clients', '1.2.3');
  for (let i = 0; i < Number(count); ++i) {
    const root = tracer.startSpan(`GET /${i % 5}`, { kind: api.SpanKind.SERVER, attributes: { text: `ä${i}`, whole: i } });
    const child = tracer.startSpan('query', { kind: api.SpanKind.CLIENT },
      api.trace.setSpan(api.context.active(), root));
    child.addEvent('cache.miss', { key: `k${i}` });
    child.setStatus({ code: api.SpanStatusCode.ERROR, message: `failed ${i}` });
    child.end();
    root.end();
    for (const span of [root, child]) {
      const { traceId, spanId } = span.spanContext();
      sent.spans.push({
        trace_id: traceId, span_id: spanId, parent_id: span.parentSpanId || '', name: span.name,
        kind: span === root ? 'server' : 'client', status: span === root ? 'unset' : 'error',
        start_us: span.startTime[0] * 1e6 + Math.floor(span.startTime[1] / 1e3),
      });
    }
  }
  await provider.shutdown();
}

async function jaegerClient() {
  const { initTracer } = require('jaeger-client');
  const opentracing = require('jaeger-client').opentracing;
  const reporter = exporter === 'jaeger-client' ? { agentHost: '127.0.0.1', agentPort: Number(target) }
    : { collectorEndpoint: target };
  const tracer = initTracer({
    serviceName: service, sampler: { type: 'const', param: 1 }, reporter: { ...reporter, flushIntervalMs: 50 },
  }, { tags: { 'app.version': '7' } });
  for (let i = 0; i < Number(count); ++i) {
    const root = tracer.startSpan(`GET /${i % 5}`, { tags: { 'span.kind': 'server', text: `ä${i}`, whole: i } });
    const child = tracer.startSpan('query', { childOf: root, tags: { 'span.kind': 'client', error: true } });
    child.log({ event: 'cache.miss', key: `k${i}` });
    child.finish();
    root.finish();
    for (const span of [root, child]) {
      const context = span.context();
      sent.spans.push({
        trace_id: context.traceIdStr.padStart(32, '0'), span_id: context.spanIdStr.padStart(16, '0'),
        parent_id: span === root ? '' : context.parentIdStr.padStart(16, '0'), name: span.operationName,
        kind: span === root ? 'server' : 'client', status: span === root ? 'unset' : 'error',
      });
    }
    // The agent's datagrams hold 65,000 bytes; a burst of them is not what is tested.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await new Promise((resolve) => tracer.close(resolve));
}

(exporter.startsWith('jaeger-client') ? jaegerClient() : openTelemetry())
  .then(() => { console.log(JSON.stringify(sent)); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
