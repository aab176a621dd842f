// One SQL engine in a process of its own: `node sql_worker.js duckdb|chdb MODULES FOLDER`.
// Reads one JSON request a line, {"sql": "...", "rows": true}, and answers one line: {"ms", "cpu_ms", "rows"} or {"error"}.
// The time is that of the whole call, until every row of the answer is in this process.
'use strict';
const readline = require('readline');
const path = require('path');

const [engine, modules, folder] = process.argv.slice(2);

async function openDuckDB() {
  const duckdb = require(path.join(modules, '@duckdb/node-api'));
  const instance = await duckdb.DuckDBInstance.create(path.join(folder, 'store.duckdb'));
  const connection = await instance.connect();
  return async (sql, rows) => {
    const reader = await connection.runAndReadAll(sql);
    return rows ? () => reader.getRowsJson() : () => null;
  };
}

function openClickHouse() {
  const { Session } = require(path.join(modules, 'chdb'));
  const session = new Session(folder);
  // It remembers, for each condition, which granules had no match: asked again, a question would not be answered but
  // looked up. Like VictoriaMetrics' cache of answers it is off.
  session.query('SET use_query_condition_cache = 0', 'Null');
  return async (sql, rows) => {
    const text = session.query(sql, rows ? 'JSONCompact' : 'Null');
    return rows ? () => JSON.parse(text).data : () => null;
  };
}

async function main() {
  const run = engine === 'duckdb' ? await openDuckDB() : openClickHouse();
  process.stdout.write(JSON.stringify({ ready: true }) + '\n');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { sql, rows } = JSON.parse(line);
    const cpu = process.cpuUsage();
    const began = process.hrtime.bigint();
    let answer;
    try {
      const take = await run(sql, rows);
      answer = { ms: Number(process.hrtime.bigint() - began) / 1e6 };
      const used = process.cpuUsage(cpu);
      answer.cpu_ms = (used.user + used.system) / 1e3;
      answer.rows = take();
    } catch (error) {
      answer = { error: String(error.message || error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  process.exit(0);
}

main();
