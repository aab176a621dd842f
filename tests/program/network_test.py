"""The server's network side with clients of Python's standard library: classic ports, TLS, limits, scraping, and what the
server keeps about itself."""
import argparse
import contextlib
import fcntl
import gzip
import http.client
import http.server
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings

from server_process import PROGRAM, Server, free_port

TOKEN = "a-token-that-is-long-enough"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">IBI", 0, 4, 0)[1:]
failures = []
passed = 0
skipped = 0


def check(what, condition, seen=""):
    if not condition:
        failures.append(f"{what}: {seen!r}"[:2000])


def until(seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def serving(*arguments, ports=None, log=None):
    """A server on `ports` (its arguments say which) or on a free one."""
    data = tempfile.mkdtemp(prefix="braid-network-")
    log_file = open(log or os.path.join(data, "log"), "w+", encoding="utf-8")
    server = Server(os.path.join(data, "store"), *arguments, log=log_file)
    if ports:
        server.port = ports
    try:
        server.start()
        server.log_text = lambda: open(log_file.name, encoding="utf-8").read()
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.stop()
        log_file.close()
        shutil.rmtree(data, ignore_errors=True)


def request(port, method, path, body=None, headers=None, host="127.0.0.1"):
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        interface = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(control, 0x8913, interface))[1]
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", flags | 1))


def classic_ports():
    taken = socket.create_server(("127.0.0.1", 3100))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 6832))
    with serving("--compat", ports=4318) as server:
        log = server.log_text()
        for port in (9090, 9411, 14268, 5778, 9200):
            check(f"port {port}", request(port, "GET", "/-/healthy")[0] == 200)
            check(f"port {port} of IPv6", f"[::1]:{port}" in log, log)
        check("the taken port is named", "127.0.0.1:3100 (Loki" in log and "NOT served" in log, log)
        check("the taken UDP port is named", "127.0.0.1:6832" in log and "(Jaeger's agent): NOT served" in log, log)
        check("gRPC is there", "127.0.0.1:4317 (OTLP/gRPC)" in log, log)
        status, text = request(9411, "POST", "/nowhere", "{}")
        check("a wrong path names what the port is for", status == 404 and "POST /api/v2/spans" in text, text)
        check("sampling", "samplingRate" in request(5778, "GET", "/sampling?service=a")[1])
        check("Elasticsearch", "cluster_name" in request(9200, "GET", "/")[1])
        span = [{"traceId": "0102030405060708", "id": "0102030405060708", "name": "a", "timestamp": 1, "duration": 1}]
        headers = {"Content-Type": "application/json"}
        check("Zipkin", request(9411, "POST", "/api/v2/spans", json.dumps(span), headers)[0] == 202)
        status, text = request(4317, "POST", "/v1/logs", "{}", headers)
        check("HTTP/1 on the gRPC port", status == 421 and "http://127.0.0.1:4318" in text, text)
        with socket.create_connection(("127.0.0.1", 4318), timeout=20) as raw:
            raw.sendall(PREFACE)
            check("HTTP/2 on the HTTP port is answered in HTTP/2", raw.recv(9)[3] == 4)
    taken.close()
    udp.close()


def certificate(folder, names="DNS:localhost,IP:127.0.0.1"):
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}", "-out", paths[0],
                    "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def tls():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        grpc_port = free_port()
        arguments = ["--tls-cert", cert, "--tls-key", key]
        data = os.path.join(folder, "store")
        port = free_port()
        log = open(os.path.join(folder, "log"), "w", encoding="utf-8")
        process = subprocess.Popen([PROGRAM, "serve", "--data", data, "--listen", f"127.0.0.1:{port}", "--grpc-listen",
                                    f"127.0.0.1:{grpc_port}", *arguments], stderr=log)
        try:
            context = ssl.create_default_context(cafile=cert)

            def healthy(settings):
                try:
                    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=settings)
                    connection.request("GET", "/-/healthy")
                    return connection.getresponse().status == 200
                except OSError:
                    return False
            check("TLS is spoken", until(20, lambda: healthy(context)), open(log.name, encoding="utf-8").read())
            old = ssl.create_default_context(cafile=cert)
            old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                old.maximum_version = ssl.TLSVersion.TLSv1_1
            old.set_ciphers("ALL:@SECLEVEL=0")
            check("TLS 1.1 is not", not healthy(old))
            context.set_alpn_protocols(["h2", "http/1.1"])
            for where, expected in ((port, "http/1.1"), (grpc_port, "h2")):
                with socket.create_connection(("127.0.0.1", where), timeout=20) as raw:
                    with context.wrap_socket(raw, server_hostname="localhost") as secure:
                        check(f"ALPN agrees on {expected}", secure.selected_alpn_protocol() == expected)
                        if expected == "h2":
                            secure.sendall(PREFACE)
                            check("HTTP/2 over TLS", secure.recv(9)[3] == 4)
            with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                check("plain text on a TLS port gets nothing of ours", b"Braid" not in raw.recv(4096))
            own_clients(folder, cert, port)
        finally:
            process.terminate()
            process.wait(timeout=30)
            log.close()


def own_clients(folder, cert, port):
    """`braid` itself against a server that speaks TLS."""
    def ask(command, url, *arguments, text=""):
        return subprocess.run([PROGRAM, command, "--server", url, *arguments], input=text, timeout=60,
                              capture_output=True, text=True, check=False)

    def refused(url, *arguments):
        done = ask("query", url, *arguments, "1")
        return done.stderr if done.returncode == 1 else f"answered: {done.stdout}"
    for host in ("localhost", "127.0.0.1"):
        url, trust = f"https://{host}:{port}", ("--ca-file", cert)
        piped = ask("pipe", url, *trust, "--service", host, text="over TLS\n")
        check("pipe over TLS", piped.returncode == 0, piped.stderr)
        found = ask("query", url, *trust, "--format", "csv", f'logs{{service = "{host}"}} | keep message')
        check("query over TLS", found.stdout.split("\n")[:2] == ["message", "over TLS"], found)
        program = ["--service", "child", "--scrape", "none", "--", "sh", "-c", "echo $OTEL_EXPORTER_OTLP_CERTIFICATE"]
        check("run over TLS", ask("run", url, *trust, *program).stdout == cert + "\n")
    loaded = ask("load", url, *trust, "--signals", "logs", "--duration", "1s", "--rate", "1000", "-q")
    check("load over TLS", loaded.returncode == 0, loaded)
    check("a certificate that nobody vouches for", "is not accepted: self" in refused(url), refused(url))
    check("its way out is named", "--ca-file" in refused(url), refused(url))
    other = os.path.join(folder, "other")
    os.mkdir(other)
    stranger = certificate(other, "DNS:store.example")
    check("an authority of another", "is not accepted" in refused(url, "--ca-file", stranger[0]), refused(url))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def impostor():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*stranger)
            for _ in range(2):
                with contextlib.suppress(OSError):
                    context.wrap_socket(listener.accept()[0], server_side=True)
        threading.Thread(target=impostor, daemon=True).start()
        for host, why in (("localhost", "hostname mismatch"), ("127.0.0.1", "IP address mismatch")):
            asked = refused(f"https://{host}:{listener.getsockname()[1]}", "--ca-file", stranger[0])
            check("a certificate of another host", f"is not accepted: {why}" in asked, asked)
    check("no such file of authorities", "missing.pem cannot be used" in refused(url, "--ca-file", "missing.pem"),
          refused(url, "--ca-file", "missing.pem"))
    check("plain to a TLS port", "https://" in refused(f"http://127.0.0.1:{port}"), refused(f"http://127.0.0.1:{port}"))
    with serving() as plain:
        asked = refused(f"https://127.0.0.1:{plain.port}")
        check("TLS to a plain port", "http://" in asked, asked)
        asked = refused(f"http://127.0.0.1:{plain.port}", "--ca-file", cert)
        check("authorities without TLS", "--ca-file is for https" in asked, asked)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        asked = refused(f"https://127.0.0.1:{silent.getsockname()[1]}", "--ca-file", cert)
        check("one that says nothing is given up", "says nothing" in asked and time.monotonic() - began < 30, asked)


def who_is_let_in():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        token, short, empty = (os.path.join(folder, name) for name in ("token", "short", "empty"))
        for path, text in ((token, TOKEN), (short, "abc"), (empty, "")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")

        def refused(*arguments):
            done = subprocess.run([PROGRAM, "serve", "--data", os.path.join(folder, "store"), *arguments], timeout=30,
                                  capture_output=True, text=True, check=False)
            return done.returncode != 0 and done.stderr
        anywhere = ["--listen", f"0.0.0.0:{free_port()}"]
        check("no token, no TLS", refused(*anywhere), "started")
        check("no token", refused(*anywhere, "--tls-cert", cert, "--tls-key", key), "started")
        check("no token, insecure", refused(*anywhere, "--insecure-allow-remote"), "started")
        check("no TLS", "TLS" in (refused(*anywhere, "--token-file", token) or ""), "started")
        check("an empty token", refused("--token-file", empty), "started")
        check("a short token", refused("--token-file", short), "started")
        check("a key that is not the certificate's", refused("--tls-cert", cert, "--tls-key", cert), "started")
        check("a remote gRPC address", refused("--listen", f"127.0.0.1:{free_port()}", "--grpc-listen",
                                               f"0.0.0.0:{free_port()}"), "started")
        missing = os.path.join(folder, "missing")
        for option in ("--token-file", "--scrape-config"):
            check("the option is named", f"{option} {missing}: " in (refused(option, missing) or ""), option)
        check("how to let others in", "--insecure-allow-remote" in (refused(*anywhere) or ""), refused(*anywhere))
        check("days without a unit", "15d" in (refused("--retention", "15") or ""), "started")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            refusal = refused("--listen", f"127.0.0.1:{taken.getsockname()[1]}") or ""
            check("a port in use", "Address already in use" in refusal and "--listen" in refusal, refusal)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
            agent.bind(("127.0.0.1", 0))
            refusal = refused("--listen", f"127.0.0.1:{free_port()}", "--jaeger-udp", str(agent.getsockname()[1])) or ""
            check("a UDP port in use", "Address already in use" in refusal and "--jaeger-udp" in refusal, refusal)
        check("a pattern of no files", "--tail 'web=' names no files" in
              (refused("--listen", f"127.0.0.1:{free_port()}", "--tail", "web=") or ""), "started")
        check("no store is left behind", not os.path.exists(os.path.join(folder, "store")), os.listdir(folder))
        with serving("--token-file", token) as server:
            def ask(*arguments):
                return subprocess.run([PROGRAM, "query", "--server", f"127.0.0.1:{server.port}", "--format", "csv",
                                       *arguments], timeout=30, capture_output=True, text=True, check=False)
            check("a query with the token", ask("--token-file", token, "1").returncode == 0, ask("--token-file", token, "1"))
            check("a query without", ask("1").returncode == 1 and "{" not in ask("1").stderr, ask("1").stderr)


def origins_and_hosts():
    with serving() as server:
        def status(**headers):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            return request(server.port, "POST", "/v1/logs", "{}", {"Content-Type": "application/json", **names})[0]
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "192.168.1.2", "[::2]"):
            check(f"Host {host}", status(Host=host) == 403)
        for origin in ("http://evil.example", "https://localhost.evil.example", "null", "file://", "http://0.0.0.0",
                       "http://127.0.0.1.evil.example"):
            check(f"Origin {origin}", status(Origin=origin) == 403)
        for host in ("localhost", f"localhost:{server.port}", "127.0.0.1", "127.9.9.9:80", "[::1]:1"):
            check(f"Host {host}", status(Host=host) == 200)
        for origin in ("http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"):
            check(f"Origin {origin}", status(Origin=origin) == 200)


def many_connections():
    with serving() as server:
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(1024)]
        check("1,024 connections are held", until(10, lambda: True))
        answers = []
        for _ in range(100):
            try:
                answers.append(request(server.port, "GET", "/-/healthy")[0])
            except OSError as error:
                answers.append(repr(error))
        check("those beyond are answered 503", set(answers) == {503}, answers)
        for connection in held:
            connection.close()
        check("and after that it is as before", until(20, lambda: request(server.port, "GET", "/-/healthy")[0] == 200))


def resident(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def bombs():
    # 110 MiB of JSON lines, some 100 times smaller as sent: within the limits of a single body.
    lines = (b'{"message":"' + os.urandom(30).hex().encode() + b"x" * 5000 + b'"}\n' for _ in range(22_000))
    body = gzip.compress(b"".join(lines), 6)
    with serving() as server:
        before, peak, statuses = resident(server), [0], []

        def send():
            statuses.append(request(server.port, "POST", "/ingest/jsonl", body, {"Content-Encoding": "gzip"})[0])
        threads = [threading.Thread(target=send) for _ in range(20)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak[0] = max(peak[0], resident(server))
            time.sleep(0.01)
        check("bombs are turned away or taken", set(statuses) <= {200, 400, 413, 503} and len(statuses) == 20, statuses)
        check("some of them are taken", 200 in statuses, statuses)
        check("memory stays bounded", peak[0] - before < 1024 * 2 ** 20, (peak[0] - before) >> 20)
        check("and the next body is taken", request(server.port, "POST", "/ingest/jsonl", "{}")[0] == 200)


class Exporter(http.server.BaseHTTPRequestHandler):
    text = "# TYPE hits_total counter\nhits_total{path=\"/\"} 5\ngone 1\n"

    def do_GET(self):
        body = gzip.compress(Exporter.text.encode())
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def scraping():
    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    target = f"127.0.0.1:{exporter.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"global: {{scrape_interval: 200ms}}\nscrape_configs:\n- job_name: shop\n  static_configs:\n"
                       f"  - targets: ['{target}']\n    labels: {{service: web}}\n")
        with serving("--scrape-config", config) as server:
            def value(query):
                answer = json.loads(server.request("GET", "/api/v1/query?query=" + query)[1])
                return [row["value"][1] for row in answer["data"]["result"]]
            check("the target is up", until(20, lambda: value("up") == ["1"]), value("up"))
            check("its samples", value("hits_total%7Bservice=%22web%22,job=%22shop%22%7D") == ["5"], value("hits_total"))
            Exporter.text = "# TYPE hits_total counter\nhits_total{path=\"/\"} 6\n"
            check("what vanishes is gone", until(20, lambda: value("gone") == [] and value("hits_total") == ["6"]))
            targets = json.loads(server.request("GET", "/api/v1/targets")[1])["data"]["activeTargets"]
            check("targets", targets[0]["health"] == "up" and targets[0]["scrapeUrl"] == f"http://{target}/metrics", targets)
            exporter.shutdown()
            exporter.server_close()
            check("the target is down", until(20, lambda: value("up") == ["0"] and value("hits_total") == []))

            def why():
                target = json.loads(server.request("GET", "/api/v1/targets")[1])["data"]["activeTargets"][0]
                return target["health"] + ": " + target["lastError"]
            check("and why", until(20, lambda: why().startswith("down: connecting to " + target)), why())
        with open(config, "a", encoding="utf-8") as file:
            file.write("  relabel_configs: []\n")
        done = subprocess.run([PROGRAM, "serve", "--data", os.path.join(folder, "s"), "--scrape-config", config],
                              capture_output=True, text=True, timeout=30, check=False)
        check("a key that is not known", done.returncode != 0 and "prometheus.yml:7: 'relabel_configs'" in done.stderr,
              done.stderr)


def about_itself():
    with serving("--self-telemetry", "--log-format", "json") as server:
        request(server.port, "POST", "/v1/logs", "{}", {"Content-Type": "application/json"})
        check("its log is in it", until(20, lambda: server.query('logs{service = "braid"}')["rows"]))

        def stored():
            answer = json.loads(server.request("GET", "/api/v1/query?query=braid_ingest_requests_total%7Bjob=%22braid%22%7D")[1])
            return answer["data"]["result"]
        check("its metrics are in it", until(20, stored))
        lines = server.log_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        check("the log is JSON", any(event["msg"].startswith("listening on") for event in events), lines)


def run(test):
    global passed
    known = len(failures)
    try:
        test()
    except Exception as error:  # the others still run
        failures.append(f"{test.__name__}: {error!r}")
    if len(failures) == known:
        passed += 1
        print(f"[       OK ] {test.__name__}")
    else:
        print(f"[  FAILED  ] {test.__name__}")
        for failure in failures[known:]:
            print(f"  Failure: {failure}")
    sys.stdout.flush()


def main():
    global skipped
    parser = argparse.ArgumentParser()
    parser.add_argument("--own-network", action="store_true", help="the classic ports are ours")
    arguments = parser.parse_args()
    tests = [tls, who_is_let_in, origins_and_hosts, many_connections, bombs, scraping, about_itself]
    if arguments.own_network:
        loopback_up()
        tests.insert(0, classic_ports)
    else:
        skipped = 1
    for test in tests:
        run(test)
    print(f"[  PASSED  ] {passed} tests.")
    if skipped:
        print(f"[  SKIPPED ] {skipped} test, listed below: classic_ports needs a network of its own")
    if passed < len(tests):
        print(f"[  FAILED  ] {len(tests) - passed} tests, listed below:")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
