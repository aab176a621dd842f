// Sends log lines by a logger and prints how many.
//   node logs.js CLIENT URL SERVICE [COUNT]     CLIENT: winston-loki, winston-loki-json, pino-loki or elasticsearch
const [client, url, service, many = '200'] = process.argv.slice(2);
const count = Number(many);
const trace = '4bf92f3577b34da6a3ce929d0e0e4736';

async function winston() {
  const { createLogger, format } = require('winston');
  const LokiTransport = require('winston-loki');
  const transport = new LokiTransport({
    host: url, labels: { service_name: service }, json: client === 'winston-loki-json', batching: true, interval: 1,
    format: format.json(), replaceTimestamp: false, onConnectionError: (error) => console.error(error),
  });
  const logger = createLogger({ level: 'debug', transports: [transport] });
  for (let i = 0; i < count; ++i) {
    logger.log({ level: i % 10 === 0 ? 'error' : 'info', message: `line ä${i}`, request_id: `r-${i}`, labels: { route: `/${i % 3}` } });
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  await transport.flush();
}

async function pino() {
  const pino = require('pino');
  const transport = pino.transport({
    target: 'pino-loki', options: { host: url, labels: { service_name: service }, batching: true, interval: 1, silenceErrors: false },
  });
  const logger = pino({ level: 'debug' }, transport);
  for (let i = 0; i < count; ++i) {
    logger[i % 10 === 0 ? 'error' : 'info']({ request_id: `r-${i}`, n: i }, `line ä${i}`);
  }
  // The transport is a thread that does not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  await new Promise((resolve) => { transport.on('close', resolve); transport.end(); });
  clearInterval(alive);
}

async function elasticsearch() {
  const { Client } = require('@elastic/elasticsearch');
  const elastic = new Client({ node: url });
  const datasource = Array.from({ length: count }, (_, i) => ({
    '@timestamp': new Date(1700000000000 + i).toISOString(), message: `line ä${i}`,
    'log.level': i % 10 === 0 ? 'error' : 'info', service: { name: service }, request_id: `r-${i}`,
    trace: { id: trace }, n: i,
  }));
  const result = await elastic.helpers.bulk({ datasource, onDocument: () => ({ create: { _index: 'logs' } }) });
  if (result.successful !== count || result.failed !== 0) throw new Error(JSON.stringify(result));
  await elastic.close();
}

({ 'winston-loki': winston, 'winston-loki-json': winston, 'pino-loki': pino, elasticsearch })[client]()
  .then(() => { console.log(JSON.stringify({ count })); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
