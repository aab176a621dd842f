"""A server under load with small heads, so that it flushes and merges all the time; beside it, in processes of their own:
`braid query --data`, which must see every request that was acknowledged before it started, backups and their restoring,
and deletes through the server's admin routes. What the clients were told is the oracle."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server_process import PROGRAM, Server  # noqa: E402

TOKEN = "a-token-of-thirty-two-characters"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
BATCH = 50
ROUNDS = 12


class Loader(threading.Thread):
    """Sends numbered batches of log lines until it is stopped."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.acknowledged, self.stopping = server, 0, False

    def run(self):
        while not self.stopping:
            n = self.acknowledged
            lines = "\n".join(json.dumps({"timestamp": 1_767_261_600 + n, "service": "load", "batch": n, "part": i,
                                          "message": f"line {n} {i} " + "x" * 200}) for i in range(BATCH))
            headers = {**AUTHORIZED, "Content-Type": "application/x-ndjson", "X-Braid-Durability": "buffered"}
            status, answer = self.server.request("POST", "/ingest/jsonl", lines, headers)
            if status != 200:
                raise RuntimeError(f"{status}: {answer}")
            self.acknowledged = n + 1


def run(*arguments, fails=False):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120)
    if (done.returncode != 0) != fails:
        raise AssertionError(f"braid {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr if fails else done.stdout


def batches(data):
    """batch -> number of its lines, asked by a process of its own."""
    out = run("query", "--data", data, "--format", "json", "--limit", "1000000",
              'logs{service = "load"} | stats n = count() by (batch)')
    answer = json.loads(out)
    names = [column["name"] for column in answer["columns"]]
    partial = [note for note in answer["notes"] if note["kind"] == "partial"]
    if partial:
        raise AssertionError(f"{data}: {partial}")
    rows = [dict(zip(names, row)) for row in answer["rows"]]
    return {int(row["batch"]): int(row["n"]) for row in rows}


def check(what, found, at_least, at_most, deleted=frozenset()):
    expected = {n for n in range(at_least) if n not in deleted}
    missing = sorted(expected - found.keys())
    cut = {n: count for n, count in found.items() if count != BATCH}
    foreign = sorted(n for n in found if n >= at_most or n in deleted)
    gaps = sorted(set(range(max(found, default=-1) + 1)) - found.keys() - set(deleted))
    if missing or cut or foreign or gaps:
        raise AssertionError(f"{what}: missing {missing[:5]}, not whole {dict(list(cut.items())[:5])}, "
                             f"not sent or deleted {foreign[:5]}, gaps {gaps[:5]}")


def damage_a_block(data):
    """Flips a byte in the middle of the largest block of the logs of the largest part; docs/format/block_file.md has the
    frame. Returns what a note must name."""
    parts = os.path.join(data, "parts")
    part = max(os.listdir(parts), key=lambda name: os.path.getsize(os.path.join(parts, name, "logs")))
    path = os.path.join(parts, part, "logs")
    with open(path, "rb") as file:
        content = bytearray(file.read())
    blocks, at = [], 36
    while at + 14 <= len(content) - 32:
        stored = int.from_bytes(content[at + 6:at + 10], "little")
        blocks.append((stored, at))
        at += 14 + stored
    stored, at = max(blocks)
    content[at + 14 + stored // 2] ^= 0x10
    with open(path, "wb") as file:
        file.write(content)
    return f"part {part} logs block {at}"


def check_partial(data):
    """A damaged block costs its rows alone, and every form of the answer says which block it was."""
    text = 'logs{service = "load"} | keep batch, message'
    ask = ("query", "--data", data, "--format", "ndjson", "--limit", "1000000", text)
    whole = len(run(*ask).splitlines())
    name = damage_a_block(data)
    server = Server(data).start()
    try:
        answer = server.query(text, start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", limit=1_000_000)
    finally:
        server.stop()
    assert any(note["kind"] == "partial" and name in note["text"] for note in answer["notes"]), answer["notes"]
    assert 0 < len(answer["rows"]) < whole, (len(answer["rows"]), whole)
    done = subprocess.run([PROGRAM, *ask], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "partial" in done.stderr and name in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == len(answer["rows"]), "the program shows other rows than the server"
    assert name.split()[1] in run("verify", data, fails=True)


def check_words(root):
    """What deletes, restoring and a damaged log say of themselves where nobody looks at a terminal."""
    data = os.path.join(root, "words")
    lines = os.path.join(root, "words.jsonl")
    with open(lines, "w") as file:
        for i in range(4):
            file.write(json.dumps({"timestamp": 1_767_261_600 + i, "service": "s", "n": i, "message": "m"}) + "\n")
    run("import", "-q", "--data", data, lines)
    for selector, said in (("logs{n = 0}", "1 log record deleted"), ("logs{n in (2, 3)}", "2 log records deleted")):
        done = subprocess.run([PROGRAM, "delete", "--data", data, selector], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and done.stderr == f"braid: {selector}: {said}\n", done.stderr
    copy, restored = os.path.join(root, "words.copy"), os.path.join(root, "words.restored")
    run("backup", "--data", data, copy)
    done = subprocess.run([PROGRAM, "restore", copy, "--data", restored], capture_output=True, text=True, timeout=120)
    assert done.stderr == f"braid: {restored} is restored from {copy}\n", done.stderr

    # Records in the log, and one of the first of them damaged: what follows it checks, so it is no torn end.
    logged = os.path.join(root, "words.logged")
    server = Server(logged).start()
    for i in range(3):
        assert server.request("POST", "/ingest/jsonl", json.dumps({"message": f"line {i} " + "x" * 100}),
                              {"Content-Type": "application/x-ndjson"})[0] == 200
    server.kill()
    folder = os.path.join(logged, "wal")
    segment = max((os.path.join(folder, name) for name in os.listdir(folder)), key=os.path.getsize)
    with open(segment, "r+b") as file:
        content = file.read()
        file.seek(content.index(b"line 0"))
        file.write(b"LINE 0")
    done = subprocess.run([PROGRAM, "query", "--data", logged, "logs"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "is damaged at offset" in done.stderr, done.stderr
    assert "`braid serve --recover=point-in-time`" in done.stderr, done.stderr


def main():
    root = tempfile.mkdtemp(prefix="braid-lifecycle-")
    data = os.path.join(root, "data")
    token_file = os.path.join(root, "token")
    with open(token_file, "w") as file:
        file.write(TOKEN + "\n")
    passed = 0
    server = Server(data, "--token-file", token_file, "--flush-mb", "1")
    ready = server.request
    server.request = lambda method, path, body=None, headers=None, timeout=60: ready(
        method, path, body, {**AUTHORIZED, **(headers or {})}, timeout)
    try:
        server.start()
        loader = Loader(server)
        loader.start()
        deleted = set()
        for round_ in range(ROUNDS):
            while loader.acknowledged < (round_ + 1) * 40 and loader.is_alive():
                time.sleep(0.01)
            if not loader.is_alive():
                raise AssertionError("the server refused a write")
            before = loader.acknowledged
            found = batches(data)
            check("reader", found, before, loader.acknowledged + 1, deleted)
            if round_ % 4 == 1:
                # One batch by its attribute, and its neighbour by time.
                status, answer = server.request("POST", f"/v1/delete?select=logs%7Bbatch%20%3D%20{before - 5}%7D")
                assert (status, json.loads(answer)) == (200, {"deleted": [BATCH]}), answer
                at = 1_767_261_600 + before - 4
                run("delete", "--server", f"http://127.0.0.1:{server.port}", "--token-file", token_file, "logs",
                    "--start", str(at), "--end", str(at))
                deleted |= {before - 5, before - 4}
                check("reader after a delete", batches(data), before, loader.acknowledged + 1, deleted)
            if round_ % 4 == 2:
                before = loader.acknowledged
                copy = os.path.join(root, f"copy{round_}")
                run("backup", "--data", data, copy)
                after = loader.acknowledged + 1
                run("verify", "-q", copy)
                restored = os.path.join(root, f"restored{round_}")
                run("restore", "-q", copy, "--data", restored)
                check("restored", batches(restored), before, after, deleted)
                assert "not empty" in run("restore", "-q", copy, "--data", restored, fails=True)
                shutil.rmtree(copy)
                shutil.rmtree(restored)
            if round_ % 4 == 3:
                before = loader.acknowledged
                name = run("backup", "--server", f"http://127.0.0.1:{server.port}", "--token-file",
                           token_file).strip()
                check("snapshot", batches(os.path.join(data, "snapshots", name)), before, loader.acknowledged + 1, deleted)
            passed += 1
        assert "in use" in run("delete", "--data", data, "logs", "--end", "now", fails=True)
        assert f"process {server.process.pid}" in run("import", "-q", "--data", data, token_file, fails=True)
        loader.stopping = True
        loader.join()
        server.process.kill()
        server.process.wait()
        # What was deleted stays deleted after kill -9.
        server.start()
        check("after kill -9", batches(data), loader.acknowledged, loader.acknowledged, deleted)
        passed += 1
        # Without a token there is nothing to administrate.
        server.process.terminate()
        server.process.wait()
        open_server = Server(data).start()
        try:
            for path in ("/v1/delete?select=logs&end=now", "/api/v1/admin/tsdb/delete_series?match[]=up",
                         "/api/v1/admin/tsdb/snapshot"):
                status, answer = open_server.request("POST", path)
                assert status == 403 and b"token" in answer, (path, status, answer)
        finally:
            open_server.process.terminate()
            open_server.process.wait()
        passed += 1
        check_partial(data)
        passed += 1
        check_words(root)
        passed += 1
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(root, ignore_errors=True)
    print(f"[  PASSED  ] {passed} tests.")


if __name__ == "__main__":
    main()
