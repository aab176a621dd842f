"""Kills the server at random moments under load of all three signals and compares what is there after the restart with
a journal that the clients kept: everything acknowledged is there, once, and every batch is whole or absent.

  kill_load.py [--loops 25] [--seed 1]
"""
import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server_process import Server  # noqa: E402

EPOCH = 1_767_261_600
BATCH = 7  # records of one request: a batch is whole or absent


def logs_body(loop, batch):
    lines = [json.dumps({"timestamp": f"{EPOCH + loop}.{batch % 1000:03d}", "level": "info", "service": "kill",
                         "message": f"line {batch} {i}", "loop": loop, "batch": batch, "part": i}) for i in range(BATCH)]
    return "/ingest/jsonl", "application/x-ndjson", "\n".join(lines) + "\n"


def spans_body(loop, batch):
    spans = [{"traceId": f"{loop + 1:016x}{batch + 1:016x}", "spanId": f"{i + 1:016x}", "name": "kill", "kind": 1,
              "startTimeUnixNano": str((EPOCH + loop) * 10**9 + batch), "endTimeUnixNano": str((EPOCH + loop) * 10**9 + batch + 5),
              "attributes": [{"key": "loop", "value": {"intValue": str(loop)}},
                             {"key": "batch", "value": {"intValue": str(batch)}},
                             {"key": "part", "value": {"intValue": str(i)}}]} for i in range(BATCH)]
    return "/v1/traces", "application/json", json.dumps({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "kill"}}]},
        "scopeSpans": [{"spans": spans}]}]})


def metrics_body(loop, batch):
    # The timestamp tells the batch; the series tells loop and part.
    lines = [f'kill_total{{loop="{loop}",part="{i}"}} {batch} {EPOCH * 1000 + batch}' for i in range(BATCH)]
    return "/api/v1/import/prometheus", "text/plain", "\n".join(lines) + "\n"


class Client(threading.Thread):
    def __init__(self, server, loop, make_body):
        super().__init__(daemon=True)
        self.server, self.loop, self.make_body = server, loop, make_body
        self.acknowledged, self.sent, self.stopping = [], 0, False

    def run(self):
        while not self.stopping:
            path, kind, body = self.make_body(self.loop, self.sent)
            batch, self.sent = self.sent, self.sent + 1
            try:
                status, _ = self.server.request("POST", path, body, {"Content-Type": kind})
            except (OSError, Exception):  # the kill may cut an answer anywhere
                return
            if status in (200, 202, 204):
                self.acknowledged.append(batch)


def rows(server, text):
    answer = server.query(text, start=str(EPOCH - 10), end=str(EPOCH + 100_000), limit=1_000_000)
    names = [column["name"] for column in answer["columns"]]
    return [dict(zip(names, row)) if isinstance(row, list) else row for row in answer["rows"]]


def check(kind, client, found):
    """`found`: batch -> number of its records."""
    missing = [b for b in client.acknowledged if found.get(b, 0) == 0]
    partial = {b: n for b, n in found.items() if n != BATCH}
    foreign = [b for b in found if b >= client.sent]
    if missing or partial or foreign:
        raise AssertionError(f"loop {client.loop}, {kind}: {len(missing)} acknowledged batches missing {missing[:5]}, "
                             f"not whole {dict(list(partial.items())[:5])}, never sent {foreign[:5]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loops", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    settings = parser.parse_args()
    chance = random.Random(settings.seed)
    data = tempfile.mkdtemp(prefix="braid-kill-")
    total = 0
    # A small head, so that kills meet flushes and merges too.
    server = Server(os.path.join(data, "store"), "--flush-mb", "1")
    server.start()
    try:
        for loop in range(settings.loops):
            clients = {kind: Client(server, loop, make) for kind, make in
                       (("logs", logs_body), ("spans", spans_body), ("metrics", metrics_body))}
            for client in clients.values():
                client.start()
            time.sleep(chance.uniform(0.05, 0.6))
            server.kill()
            for client in clients.values():
                client.stopping = True
                client.join()
            server.start()
            for kind, table in (("logs", "logs"), ("spans", "spans")):
                found = {int(float(row["batch"])): int(row["n"]) for row in rows(
                    server, f'{table}{{service = "kill", loop = {loop}}} | stats n = count() by (batch)')}
                check(kind, clients[kind], found)
            found = {}
            for row in rows(server, f'samples{{metric = "kill_total", loop = "{loop}"}} | keep time, value'):
                found[int(row["value"])] = found.get(int(row["value"]), 0) + 1
            check("metrics", clients["metrics"], found)
            done = sum(len(client.acknowledged) for client in clients.values())
            total += done
            print(f"loop {loop + 1}/{settings.loops}: {done} acknowledged batches, all there", flush=True)
        print(f"{settings.loops} kills, {total} acknowledged batches of {BATCH} records, none lost")
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
        shutil.rmtree(data)
    print("[  PASSED  ] 1 test.")


if __name__ == "__main__":
    main()
