"""Hostile requests against a running server. After each group the server answers, its memory is within bounds, and what
was refused was refused with a reason. Bodies are made here, byte by byte, so that none of them has to be shipped."""
import http.client
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from expectations import expect, finish  # noqa: E402
from server_process import Server  # noqa: E402

MIB = 1 << 20
figures = []


def memory(server, field="VmRSS"):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def forget_peak(server):
    with open(f"/proc/{server.process.pid}/clear_refs", "w", encoding="ascii") as clear:
        clear.write("5")


def is_sound(server, what):
    status, body = server.request("GET", "/-/healthy")
    expect(f"alive after {what}", status == 200 and server.process.poll() is None, (status, body))


# ---- bodies

def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def gzip_zeros(total):
    """Gzip of `total` zeros, made by repeating one flushed piece (the sum at its end is not right, and never reached)."""
    piece = 16 * MIB
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(b"\0" * piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first * (total // piece) + b"\x03\0" + struct.pack("<II", 0, total & 0xFFFFFFFF)


def zstd_zeros(total):
    """A zstd frame of run-length blocks: four bytes for each 128 KiB."""
    block = 128 << 10
    count = total // block
    body = b"".join(((block << 3) | (1 << 1) | (1 if i == count - 1 else 0)).to_bytes(3, "little") + b"\0"
                    for i in range(count))
    return b"\x28\xb5\x2f\xfd\x00\x58" + body


def snappy_declaring(size):
    return varint(size) + b"\x00a" + b"\xfe\x01\x00" * 4


def snappy_literal(data):
    out = varint(len(data))
    for at in range(0, len(data), 60):
        piece = data[at:at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


# ---- groups

def bombs(server):
    routes = [("/v1/logs", "application/x-protobuf"), ("/v1/traces", "application/json"), ("/ingest/jsonl", "application/x-ndjson"),
              ("/loki/api/v1/push", "application/json"), ("/api/v1/import/prometheus", "text/plain"), ("/_bulk", "application/x-ndjson")]
    coded = [("gzip", gzip_zeros(10 << 30)), ("zstd", zstd_zeros(10 << 30)), ("snappy", snappy_declaring(4 << 30 - 1)),
             ("snappy", snappy_declaring(0xFFFFFFFF))]
    forget_peak(server)
    before, slowest = memory(server), 0.0
    for path, kind in routes:
        for coding, body in coded:
            started = time.monotonic()
            status, answer = server.request("POST", path, body, {"Content-Type": kind, "Content-Encoding": coding})
            slowest = max(slowest, time.monotonic() - started)
            expect(f"{coding} bomb at {path}", status in (400, 413), (status, answer))
    grown = memory(server, "VmHWM") - before
    figures.append(f"bombs one by one: +{grown // MIB} MiB at most, slowest answer {slowest * 1000:.0f} ms")
    expect("bombs one by one stay small", grown < 250 * MIB, grown)

    forget_peak(server)
    before, statuses = memory(server), []

    def throw(body, coding):
        try:
            statuses.append(server.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf",
                                                                      "Content-Encoding": coding}, timeout=60)[0])
        except OSError as error:
            statuses.append(error)

    threads = [threading.Thread(target=throw, args=(coded[i % 2][1], coded[i % 2][0])) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    grown = memory(server, "VmHWM") - before
    figures.append(f"50 bombs at once: +{grown // MIB} MiB at most")
    expect("50 bombs at once are all refused", all(s in (400, 413, 429, 503) for s in statuses), statuses)
    # 256 MiB of bodies and 512 MiB of what they are decoded to, and some room.
    expect("50 bombs at once stay within the budget", grown < 800 * MIB, grown)
    nested = gzip_zeros(64 * MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    status, answer = server.request("POST", "/v1/logs", packer.compress(nested) + packer.flush(),
                                    {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"})
    expect("gzip in gzip is undone once", status == 400, (status, answer))


def nesting(server):
    deep = b"[" * MIB
    objects = b'{"a":' * 200_000
    for path, kind in [("/v1/logs", "application/json"), ("/v1/traces", "application/json"), ("/v1/metrics", "application/json"),
                       ("/loki/api/v1/push", "application/json"), ("/api/v2/spans", "application/json"), ("/v1/query", "application/json")]:
        for body in (deep, objects):
            status, answer = server.request("POST", path, body, {"Content-Type": kind})
            expect(f"nesting at {path}", status in (400, 413), (status, answer))
    status, answer = server.request("POST", "/ingest/jsonl?service=x", objects + b"1" + b"}" * 200_000 + b"\n",
                                    {"Content-Type": "application/x-ndjson"})
    expect("a nested line is kept as text or refused", status in (200, 400), (status, answer))
    any_value = b""
    for _ in range(5000):
        any_value = field(5, field(1, any_value))  # AnyValue.array_value.values
    for signal, body in [("logs", field(1, field(2, field(2, field(5, any_value)))))]:
        status, answer = server.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
        expect("nested protobuf", status in (200, 400), (status, answer))
    for depth in (1000, 100_000):
        for text in ("(" * depth + "1" + ")" * depth, "-" * depth + "1", "logs{" + "not " * depth + "true}", "1" + "+1" * depth,
                     "rate(" * depth):
            status, answer = server.request("POST", "/v1/query", json.dumps({"query": text}), {"Content-Type": "application/json"})
            expect(f"nested query {text[:8]}", status in (200, 400, 413, 422), (status, answer))


def raw(server, data, seconds=15, half_close=True):
    """What comes back for bytes as they are, until the server closes or nothing more comes. A client that closes its half
    has gone away as far as a query is concerned."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        out = b""
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                out += piece
        except OSError:
            pass
        return out


def smuggling(server):
    host = b"Host: localhost\r\n"
    hidden = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    post = b"POST /v1/logs HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
    corpus = {
        "CL and TE": post + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        "TE and CL": post + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + hidden,
        "two lengths": post + b"Content-Length: 2\r\nContent-Length: 45\r\n\r\n{}" + hidden,
        "two equal lengths": post + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + hidden,
        "list of lengths": post + b"Content-Length: 2, 2\r\n\r\n{}" + hidden,
        "signed length": post + b"Content-Length: +2\r\n\r\n{}" + hidden,
        "negative length": post + b"Content-Length: -2\r\n\r\n{}" + hidden,
        "hex length": post + b"Content-Length: 0x2\r\n\r\n{}" + hidden,
        "length with space": post + b"Content-Length: 2 2\r\n\r\n{}" + hidden,
        "huge length": post + b"Content-Length: 99999999999999999999999\r\n\r\n{}" + hidden,
        "space before colon": post + b"Content-Length : 2\r\n\r\n{}" + hidden,
        "folded header": post + b"Content-Length: 2\r\nX-A: a\r\n b\r\n\r\n{}" + hidden,
        "bare CR": post + b"X-A: a\rContent-Length: 99\r\nContent-Length: 2\r\n\r\n{}" + hidden,
        "bare LF": b"POST /v1/logs HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}" + hidden,
        "TE twice": post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
        "TE xchunked": post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
        "TE chunked, identity": post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
        "TE with tab": post + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
        "TE in HTTP/1.0": post.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        "chunk size with sign": post + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + hidden,
        "chunk size too long": post + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n" + hidden,
        "chunk without CRLF": post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n" + hidden,
        "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n" + hidden,
        "no host": b"GET / HTTP/1.1\r\n\r\n" + hidden,
        "NUL in a header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n\r\n" + hidden,
        "NUL in a path": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n" + hidden,
        "space in a path": b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n" + hidden,
        "HTTP/0.9": b"GET /metrics\r\n\r\n" + hidden,
        "HTTP/3.0": b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n" + hidden,
        "method with space": b" GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + hidden,
        "header without colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A\r\n\r\n" + hidden,
        "empty header name": b"GET / HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n" + hidden,
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
        "noise": bytes(range(256)) * 40,
        "long head": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n" + hidden,
    }
    for name, data in corpus.items():
        answer = raw(server, data)
        first = answer.split(b"\r\n", 1)[0]
        refused = not answer or any(first.startswith(b"HTTP/1.1 " + code) for code in (b"400", b"403", b"408", b"413", b"431", b"501", b"505"))
        expect(f"refused: {name}", refused, answer[:200])
        expect(f"nothing behind it is served: {name}", answer.count(b"\nHTTP/1.1 ") == 0, answer[:400])


def traversal(server, canary):
    ups = ["..", "%2e%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "..;", ".%2e", "%2e.", "..%5c", "....//", "%uff0e%uff0e"]
    seps = ["/", "%2f", "%252f", "\\", "%5c", "//"]
    bases = ["/", "/metrics/", "/api/v1/label/", "/loki/api/v1/", "/api/traces/", "/web/", "/static/", "/_bulk/"]
    ends = ["canary", "etc/passwd"]
    tried = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        reader = connection.makefile("rb")
        for base in bases:
            for up in ups:
                for sep in seps:
                    for end in ends:
                        path = base + sep.join([up] * 6 + [end])
                        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                        line = reader.readline()
                        length = 0
                        while True:
                            header = reader.readline()
                            if header in (b"\r\n", b""):
                                break
                            if header.lower().startswith(b"content-length:"):
                                length = int(header.split(b":")[1])
                        body = reader.read(length)
                        tried += 1
                        bad = canary.encode() in body or b"root:" in body or b" 500 " in line
                        if bad or not line:
                            expect(f"traversal {path}", False, (line, body))
                        if not line or b" 400 " in line:  # the server closes behind what it cannot read
                            connection.close()
                            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
                            reader = connection.makefile("rb")
    expect(f"{tried} paths lead nowhere", tried >= 1000, tried)
    figures.append(f"traversal: {tried} paths, none opens a file")


def rebinding(server):
    def status(method, path, headers, body=None):
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        answer = raw(server, head.encode() + b"Connection: close\r\n\r\n" + (body or b""), half_close=False)
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0, answer

    for host in ("evil.example", "evil.example:4318", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::]", "169.254.169.254",
                 "127.0.0.1@evil.example", "localhost:x"):
        seen, answer = status("GET", "/metrics", {"Host": host})
        expect(f"Host {host}", seen in (400, 403), answer[:200])
    for origin in ("http://evil.example", "null", "https://localhost.evil.example", "http://127.0.0.1.evil.example", "file://", "http://localhost@evil.example"):
        for method, path, body in (("GET", "/v1/query?query=up", None), ("POST", "/v1/logs", b"{}"), ("OPTIONS", "/v1/logs", None)):
            headers = {"Host": "localhost", "Origin": origin, "Content-Type": "application/json"}
            if method == "OPTIONS":
                headers["Access-Control-Request-Method"] = "POST"
            seen, answer = status(method, path, headers, body)
            expect(f"Origin {origin} {method}", seen == 403 and b"Access-Control-Allow-Origin" not in answer, answer[:200])
    for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]:4318", "LOCALHOST"):
        expect(f"Host {host}", status("GET", "/-/healthy", {"Host": host})[0] == 200)
    seen, answer = status("GET", "/v1/query?query=vector(1)", {"Host": "localhost", "Origin": "http://localhost:3000"})
    expect("a page of this machine may read", seen == 200 and b"Access-Control-Allow-Origin: http://localhost:3000" in answer, answer[:300])
    expect("never to everybody", b"Access-Control-Allow-Origin: *" not in answer, answer[:300])


def texts(server):
    payloads = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "\u202Eevil", "a\x1b[31mred", "a\r\nSet-Cookie: x=1",
                "{{7*7}}", "${jndi:ldap://x}", "' OR 1=1 --", "\ufffe", "a" * 100_000, "", " ", "\t", "%00", "\\", "日本語", "🎉" * 1000]
    now = int(time.time() * 1000)
    lines = "".join(json.dumps({"timestamp": now, "message": p, "field": p, p[:200] or "empty": 1}) + "\n" for p in payloads)
    status, answer = server.request("POST", "/ingest/jsonl?service=texts", lines.encode(), {"Content-Type": "application/x-ndjson"})
    expect("odd texts are stored", status == 200 and json.loads(answer)["accepted"] == len(payloads), answer)
    bad = b"".join(b'{"message":"' + b + b'"}\n' for b in (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"ok\x80ok"))
    status, answer = server.request("POST", "/ingest/jsonl?service=bytes", bad, {"Content-Type": "application/x-ndjson"})
    expect("bytes that are not UTF-8 are kept, repaired", status == 200 and json.loads(answer)["accepted"] == 6, answer)
    status, answer = server.request("POST", "/api/v1/import/prometheus", b'm{a="\xff\xfe"} 1\nn{a="b\n', {"Content-Type": "text/plain"})
    expect("bad label bytes are answered with their place", status in (200, 400), (status, answer))
    for accept, path in (("application/json", "/v1/query?query=logs"), ("application/x-ndjson", "/v1/query?query=logs"), ("text/csv", "/v1/query?query=logs")):
        answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode(), half_close=False)
        head, _, body = answer.partition(b"\r\n\r\n")
        try:
            body.decode("utf-8")
            good = True
        except UnicodeDecodeError:
            good = False
        expect(f"answers as {accept} are UTF-8", good and b" 200 " in head.split(b"\r\n")[0], head)
        expect(f"answers as {accept} are not sniffed", b"x-content-type-options: nosniff" in head.lower(), head)
        expect("a stored text does not become a header", b"set-cookie" not in head.lower(), head)
    rows = server.query('logs{service = "texts"} | keep message')["rows"]
    expect("texts come back as they were", sorted(r[0] or "" for r in rows) == sorted(payloads), rows[:3])


def slow_clients(server):
    """Connections that send a byte now and then do not keep a good client waiting."""
    slow = []
    for _ in range(400):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        slow.append(connection)
    for _ in range(200):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
        slow.append(connection)
    times = []
    for _ in range(100):
        started = time.monotonic()
        status, _ = server.request("POST", "/v1/logs", b"{}", {"Content-Type": "application/json"})
        times.append(time.monotonic() - started)
        expect("a good client among slow ones", status == 200, status)
    figures.append(f"600 slow connections: a good client's median {sorted(times)[50] * 1000:.1f} ms")
    more, refused = [], 0
    for _ in range(600):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.settimeout(5)
        more.append(connection)
    for connection in more[-100:]:
        try:
            refused += connection.recv(100).startswith(b"HTTP/1.1 503")
        except OSError:
            pass
    expect("connections beyond the limit are told so", refused >= 90, refused)
    for connection in more:
        connection.close()
    until = time.monotonic() + 20
    ended = 0
    for connection in slow[:50]:  # the head's time is 10 s
        connection.settimeout(max(0.1, until - time.monotonic()))
        try:
            ended += connection.recv(1000)[:12] in (b"HTTP/1.1 408", b"")
        except OSError:
            pass
    expect("slow heads are ended with 408", ended == 50, ended)
    for connection in slow:
        connection.close()


def heavy_queries(server):
    now = int(time.time() * 1000)
    word = "a" * 1000 + "!"
    lines = "".join(json.dumps({"timestamp": now - i, "message": word * 8, "n": i}) + "\n" for i in range(2000))
    expect("data for heavy queries", server.request("POST", "/ingest/jsonl?service=heavy", lines, {"Content-Type": "application/x-ndjson"})[0] == 200)
    started = time.monotonic()
    status, answer = server.request("POST", "/v1/query", json.dumps({"query": 'logs{service = "heavy"} |~ "(a+)+$" | stats n = count()'}),
                                    {"Content-Type": "application/json"})
    figures.append(f"(a+)+$ over 16 MB of a: {(time.monotonic() - started) * 1000:.0f} ms")
    expect("a pattern that backtracks elsewhere", status == 200 and time.monotonic() - started < 10, (status, answer))
    status, answer = server.request("POST", "/v1/query", json.dumps({"query": 'logs |~ "' + "(x{1000}){1000}" + '"'}), {"Content-Type": "application/json"})
    expect("a pattern that unfolds is refused", status == 400, (status, answer))
    forget_peak(server)
    before, outcomes = memory(server), []
    texts_of = ['logs | join logs as b on () within -1h..1h | stats n = count()',
                'logs | extend big = replace(message, "a", "aaaaaaaaaaaaaaaaaaaa") | sort big | limit 5',
                'logs | stats v = values(message, 1000) by (n)',
                'logs | extend a = replace(replace(replace(message, "a", "bbbb"), "b", "cccc"), "c", "dddd") | stats n = count() by (a)']

    def ask(text):
        started = time.monotonic()
        try:
            status, body = server.request("POST", "/v1/query", json.dumps({"query": text, "timeout": "5s"}), {"Content-Type": "application/json"}, timeout=60)
            outcomes.append((status, time.monotonic() - started, body[:200]))
        except http.client.IncompleteRead:  # the time was over while the answer was on its way
            outcomes.append((504, time.monotonic() - started, b"cut off"))
        except OSError as error:
            outcomes.append((0, time.monotonic() - started, error))

    threads = [threading.Thread(target=ask, args=(texts_of[i % len(texts_of)],)) for i in range(32)]
    for thread in threads:
        thread.start()
    stored = [server.request("POST", "/v1/logs", b"{}", {"Content-Type": "application/json"}, timeout=60)[0] for _ in range(20)]
    for thread in threads:
        thread.join()
    grown = memory(server, "VmHWM") - before
    figures.append(f"32 heavy queries at once: +{grown // MIB} MiB at most, longest {max(o[1] for o in outcomes):.1f} s")
    expect("heavy queries end with an answer or a reason", all(o[0] in (200, 422, 429, 503, 504) for o in outcomes), outcomes)
    expect("heavy queries stay within their memory", grown < 1200 * MIB, grown)
    expect("writing goes on meanwhile", stored == [200] * 20, stored)


def secrets(work):
    token = "canary-secret-0123456789"
    path = os.path.join(work, "token")
    with open(path, "w", encoding="ascii") as file:
        file.write(token + "\n")
    log = open(os.path.join(work, "log"), "wb+")
    server = Server(os.path.join(work, "guarded"), "--token-file", path, log=log)
    try:
        try:
            server.start(seconds=5)
        except RuntimeError:
            pass  # ready answers 401 without the token
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": token},
                      {"Authorization": "Basic " + token}, {"Authorization": "Bearer " + token + "x"}):
            expect("no token, no answer", server.request("GET", "/metrics", headers=wrong)[0] == 401)
        good = {"Authorization": "Bearer " + token}
        leaks = []
        for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status/buildinfo", "/api/v1/status/config", "/api/v1/status/flags", "/nothing",
                     "/v1/query?query=nonsense%20nonsense", "/api/v1/targets"):
            status, body = server.request("GET", path, headers=good)
            if token.encode() in body or status == 401:
                leaks.append((path, status))
        expect("the secret is in no answer", not leaks, leaks)
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
    log.seek(0)
    expect("the secret is in no log", token.encode() not in log.read())


def main():
    work = tempfile.mkdtemp(prefix="braid-hostile-")
    canary = "canary-4711"
    with open(os.path.join(work, "canary"), "w", encoding="ascii") as file:
        file.write(canary)
    server = Server(os.path.join(work, "store"))
    try:
        server.start()
        for name, group in (("bombs", bombs), ("nesting", nesting), ("smuggling", smuggling), ("traversal", lambda s: traversal(s, canary)),
                            ("rebinding", rebinding), ("texts", texts), ("slow clients", slow_clients), ("heavy queries", heavy_queries)):
            group(server)
            is_sound(server, name)
        expect("the server ends as it should", server.stop() == 0)
        secrets(work)
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
        shutil.rmtree(work)
    for figure in figures:
        print(figure)
    finish()


if __name__ == "__main__":
    main()
