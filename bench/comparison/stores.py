"""The stores that are compared: Braid, Prometheus, VictoriaMetrics over HTTP; DuckDB, ClickHouse and SQLite as libraries.

Every store runs with its defaults, except where a line below says why not.
"""
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.parse

from .processes import ServerProcess, memory_kb, tree_bytes

# Retry-After is honoured; a server that never takes the body is an error.
RETRIES_MAX = 100


class PromServer:
    """What Prometheus' HTTP API and remote write have in common among the three."""

    write_path = "/api/v1/write"
    query_extra = {}

    def __init__(self, name, folder, command, ready, cores=None):
        self.name = name
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.server = ServerProcess(name, command, os.path.join(folder + ".log"), ready, cores)

    def start(self):
        return self.server.start()

    def stop(self):
        self.server.stop()

    def post(self, path, body, headers):
        for _ in range(RETRIES_MAX):
            status, answer = self.server.http.request("POST", path, body, headers)
            if status < 300:
                return answer
            if status not in (429, 503):
                raise RuntimeError(f"{self.name}: {path} answered {status}: {answer[:300]}")
            time.sleep(0.1)
        raise RuntimeError(f"{self.name}: {path} never took the request")

    def remote_write(self, bodies):
        headers = (("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy"),
                   ("X-Prometheus-Remote-Write-Version", "0.1.0"))
        for body, _ in bodies:
            self.post(self.write_path, body, headers)

    def prom(self, query, start=None, end=None, step=None, time_s=None):
        """(wall ms, result) of an instant or range query."""
        form = {"query": query, **self.query_extra}
        if step is None:
            path, form["time"] = "/api/v1/query", time_s
        else:
            path = "/api/v1/query_range"
            form.update(start=start, end=end, step=step)
        body = urllib.parse.urlencode(form).encode()
        began = time.perf_counter()
        status, answer = self.server.http.request("POST", path, body,
                                                  (("Content-Type", "application/x-www-form-urlencoded"),))
        took = (time.perf_counter() - began) * 1e3
        if status != 200:
            raise RuntimeError(f"{self.name}: {query}: {status} {answer[:300]}")
        return took, answer

    def stored_bytes(self):
        return tree_bytes(self.folder)


class Braid(PromServer):
    def __init__(self, program, folder, cores=None, durability="durable", arguments=()):
        super().__init__("braid", folder, [program, "serve", "--data", folder, "--listen", "127.0.0.1:{port}",
                                           "--durability", durability, *arguments], "/-/ready", cores)
        self.program = program

    def import_files(self, *files):
        """`braid import`: reads, stores and flushes; returns its CPU seconds. The server must not run."""
        before = os.times()
        subprocess.run([self.program, "import", "--quiet", "--data", self.folder, *files], check=True,
                       stdout=subprocess.DEVNULL)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    def ask(self, text, **more):
        """(wall ms, rows) of a query in Braid's language over HTTP."""
        body = json.dumps({"query": text, **more}).encode()
        began = time.perf_counter()
        status, answer = self.server.http.request("POST", "/v1/query", body, (("Content-Type", "application/json"),))
        took = (time.perf_counter() - began) * 1e3
        if status != 200:
            raise RuntimeError(f"braid: {text}: {status} {answer.decode()[:500]}")
        return took, answer

    def library(self):
        """The store opened a second time, by a process that answers as the SQL engines do; None without the program."""
        worker = os.path.join(os.path.dirname(os.path.abspath(self.program)), "bench", "braid_query_worker")
        return BraidLibrary(worker, self.folder) if os.path.exists(worker) else None

    def jsonl(self, bodies):
        for body, _ in bodies:
            self.post("/ingest/jsonl", body, (("Content-Type", "application/x-ndjson"),))

    def traces(self, bodies):
        for body, _ in bodies:
            self.post("/v1/traces", body, (("Content-Type", "application/x-protobuf"),))


class Prometheus(PromServer):
    def __init__(self, program, folder):
        os.makedirs(folder, exist_ok=True)
        config = folder + ".yml"
        with open(config, "w") as file:
            file.write("global: {}\n")
        # Retention: the data sets are old. The others let it receive at all.
        super().__init__("prometheus", folder,
                         [program, f"--config.file={config}", f"--storage.tsdb.path={folder}",
                          "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:{port}",
                          "--web.enable-remote-write-receiver"], "/-/ready")


class VictoriaMetrics(PromServer):
    query_extra = {"nocache": "1"}  # its cache of answers would time no query

    def __init__(self, program, folder):
        # Retention: the data sets are old. latencyOffset hides the newest 30 s by default. The limits are raised so
        # that it answers over 500,000 series.
        super().__init__("victoria-metrics", folder,
                         [program, f"-storageDataPath={folder}", "-httpListenAddr=127.0.0.1:{port}",
                          "-retentionPeriod=100y", "-search.latencyOffset=0s", "-search.maxUniqueTimeseries=2000000",
                          "-search.maxQueryDuration=300s"], "/health")

    def stored_bytes(self):
        return tree_bytes(os.path.join(self.folder, "data")) + tree_bytes(os.path.join(self.folder, "indexdb"))

    def settle(self):
        """What was written becomes visible and one part."""
        self.server.http.request("GET", "/internal/force_flush")
        self.server.http.request("GET", "/internal/force_merge")
        time.sleep(3)


class LineWorker:
    """A program that answers a line of JSON with a line of JSON."""

    def __init__(self, name, command, log):
        self.name = name
        self.log = open(log, "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended")
        return json.loads(line)

    def exchange(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def peak_kb(self):
        return memory_kb(self.process.pid, "VmHWM")

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=60)
        self.log.close()


class BraidLibrary(LineWorker):
    """Braid in a process of its own, as a program has it that links it."""

    def __init__(self, worker, folder):
        super().__init__("braid", [worker, folder], folder + ".library.log")
        self.folder = folder

    def ask(self, text, **more):
        """{"ms", "cpu_ms", "rows": their number}"""
        answer = self.exchange({"query": text, **more})
        if "error" in answer:
            raise RuntimeError(f"braid: {text}: {answer['error'][:500]}")
        return answer


class SqlEngine(LineWorker):
    """DuckDB or ClickHouse in a process of its own."""

    def __init__(self, name, modules, folder, node="node"):
        os.makedirs(folder, exist_ok=True)
        worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sql_worker.js")
        engine = "duckdb" if name == "duckdb" else "chdb"
        super().__init__(name, [node, worker, engine, modules, folder], folder + ".log")
        self.folder = folder

    def run(self, sql, rows=False):
        """{"ms", "cpu_ms", "rows"}"""
        answer = self.exchange({"sql": sql, "rows": rows})
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {sql[:300]}: {answer['error'][:500]}")
        return answer


class SqliteFts:
    """Log lines in a table with an FTS5 index over the message, in this process."""

    name = "sqlite-fts5"

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.path = os.path.join(folder, "logs.sqlite")
        self.db = sqlite3.connect(self.path)

    def load(self, data):
        before = time.process_time()
        self.db.execute("pragma journal_mode = wal")
        self.db.execute("create table logs(time text, level text, service text, message text, rest text)")
        self.db.execute("create virtual table words using fts5(message, content='logs', tokenize=\"unicode61\")")
        with open(data.path) as file:
            def rows():
                for line in file:
                    record = json.loads(line)
                    yield (record[data.time], record.get(data.level or "", ""), record.get("service", ""),
                           record.get(data.message or "", ""), line)
            self.db.executemany("insert into logs values (?,?,?,?,?)", rows())
        self.db.execute("insert into words(words) values ('rebuild')")
        self.db.commit()
        return time.process_time() - before

    def run(self, sql):
        began, cpu = time.perf_counter(), time.process_time()
        rows = self.db.execute(sql).fetchall()
        return {"ms": (time.perf_counter() - began) * 1e3, "cpu_ms": (time.process_time() - cpu) * 1e3, "rows": rows}

    def stop(self):
        self.db.close()


class Peers:
    """Where the peers' programs are; None for those that are not there, which are then left out and named."""

    def __init__(self, folder):
        def there(path):
            return path if folder and os.path.exists(path) else None
        folder = folder or ""
        self.prometheus = there(os.path.join(folder, "deb/prometheus/usr/bin/prometheus"))
        self.promtool = there(os.path.join(folder, "deb/promtool/usr/bin/promtool"))
        self.victoria = there(os.path.join(folder, "deb/victoria-metrics/usr/bin/victoria-metrics"))
        self.ripgrep = there(os.path.join(folder, "deb/ripgrep/usr/bin/rg"))
        modules = os.path.join(folder, "npm/node_modules")
        self.duckdb = modules if there(os.path.join(modules, "@duckdb/node-api")) else None
        self.clickhouse = modules if there(os.path.join(modules, "chdb")) else None
        for name in ("prometheus", "victoria", "duckdb", "clickhouse"):
            if getattr(self, name) is None:
                print(f"compare: {name} is not in {folder or '(no --peers)'}; its columns stay empty", file=sys.stderr)
