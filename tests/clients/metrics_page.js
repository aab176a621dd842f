// Serves /metrics by prom-client, with exemplars, on a port of its choice that it prints; /served tells what the counter
// was in each answer.
const http = require('http');
const prom = require('prom-client');

const register = new prom.Registry();
register.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE);
const requests = new prom.Counter({
  name: 'shop_requests', help: 'Requests', labelNames: ['route'], registers: [register], enableExemplars: true,
});
const latency = new prom.Histogram({
  name: 'shop_latency_seconds', help: 'Latency', labelNames: ['route'], buckets: [0.1, 0.5, 1], registers: [register],
  enableExemplars: true,
});
const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
setInterval(() => {
  requests.inc({ labels: { route: '/' }, value: 1, exemplarLabels: { trace_id } });
  latency.observe({ labels: { route: '/' }, value: 0.3, exemplarLabels: { trace_id, span_id: '00f067aa0ba902b7' } });
}, 10);
const served = [];
const server = http.createServer(async (request, response) => {
  if (request.url === '/served') {
    response.end(JSON.stringify(served));
    return;
  }
  const body = await register.metrics();
  served.push(Number(/^shop_requests_total\{[^}]*\} (\S+)/m.exec(body)[1]));
  response.setHeader('Content-Type', register.contentType);
  response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
