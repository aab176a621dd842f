"""`braid run`, `braid pipe` and `braid serve --tail` as programs: what passes through, what is kept, how they end."""
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from server_process import PROGRAM, Server


def rows(server, query):
    answer = server.query(query, start="now-1h", end="now+1h", limit=100000)
    return answer["rows"]


def jaeger_datagram(service, name):
    """A batch of one span, as Jaeger's clients send it: emitBatch in Thrift's compact protocol."""
    def number(value):
        value, out = value << 1, b""  # zigzag; none is negative
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def text(value):
        return bytes([len(value)]) + value.encode()
    span = (b"\x16" + number(7) + b"\x16" + number(0) + b"\x16" + number(9) + b"\x16" + number(0) + b"\x18" + text(name) +
            b"\x25" + number(1) + b"\x16" + number(int(time.time() * 1e6)) + b"\x16" + number(1000) + b"\0")
    return b"\x82\x81\0" + text("emitBatch") + b"\x1c\x1c\x18" + text(service) + b"\0\x19\x1c" + span + b"\0\0"


class Capture(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = Server(os.path.join(self.folder.name, "store")).start()
        self.url = f"http://127.0.0.1:{self.server.port}"

    def tearDown(self):
        if self.server.process.poll() is None:
            self.server.kill()
        self.folder.cleanup()

    def run_program(self, *command, **more):
        return subprocess.run([PROGRAM, "run", "--service", "web", "--scrape", "none", "--server", self.url, "--", *command],
                              capture_output=True, timeout=60, **more)

    def test_outputs_pass_through_and_are_kept(self):
        noise = os.urandom(300_000)
        script = "cat; echo problem >&2; echo '{\"msg\":\"in json\",\"request_id\":\"r\"}'; exit 41"
        done = self.run_program("sh", "-c", script, input=noise)
        self.assertEqual(done.returncode, 41)
        self.assertEqual(done.stdout, noise + b"{\"msg\":\"in json\",\"request_id\":\"r\"}\n")
        self.assertEqual(done.stderr, b"problem\n")
        found = rows(self.server, 'logs{service = "web", log.iostream = "stderr"} | keep message')
        self.assertEqual(found, [["problem"]])
        instances = rows(self.server, 'logs{service = "web"} | stats n = count() by (instance)')
        self.assertEqual(len(instances), 1)

    def test_one_number_for_a_record_of_either_output(self):
        self.run_program("sh", "-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; done")
        numbers = 'logs{service = "web"} | stats n = count(), d = distinct(log.record.number), last = max(log.record.number)'
        self.assertEqual(rows(self.server, numbers), [[6, 6, 6]])
        subprocess.run([PROGRAM, "pipe", "--service", "piped", "--server", self.url], input=b"a\nb\nc\n",
                       capture_output=True, timeout=60)
        self.assertEqual(rows(self.server, numbers.replace('"web"', '"piped"')), [[3, 3, 3]])

    def test_exit_codes(self):
        self.assertEqual(self.run_program("no-such-program-at-all").returncode, 127)
        self.assertEqual(self.run_program("/").returncode, 126)
        self.assertEqual(self.run_program("sh", "-c", "kill -9 $$").returncode, 128 + 9)
        self.assertEqual(self.run_program("true").returncode, 0)

    def test_wrong_calls_say_what_is_missing(self):
        for arguments in (["run", "--"], ["run", "--service", "web"], ["run"]):
            done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("a command is missing: `braid run [OPTIONS] -- COMMAND", done.stderr)
        done = subprocess.run([PROGRAM, "run", "--servic", "web", "--"], capture_output=True, text=True, timeout=60)
        self.assertIn("'--servic' is not an option of `braid run`", done.stderr)

    def test_a_server_that_wants_a_token(self):
        token = os.path.join(self.folder.name, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write("a-token-of-thirty-two-characters\n")
        server = Server(os.path.join(self.folder.name, "guarded"), "--token-file", token).start()
        url = f"http://127.0.0.1:{server.port}"
        ask = [PROGRAM, "query", "--server", url, "logs | keep message"]
        run = [PROGRAM, "run", "--scrape", "none", "--server", url, "--", "echo", "told"]
        try:
            for command in (ask, run):
                done = subprocess.run(command, capture_output=True, text=True, timeout=60)
                self.assertRegex(done.stderr, "401: .*--token-file names the file")
            for command in (run, ask):
                command[2:2] = ["--token-file", token]
                done = subprocess.run(command, capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("told", done.stdout)
        finally:
            server.kill()

    def test_signals_reach_the_program(self):
        script = "trap 'echo caught; exit 5' {0}; echo ready; while :; do sleep 0.05; done"
        for name in ("INT", "TERM", "HUP", "USR1"):
            number = getattr(signal, "SIG" + name)
            # Who started this in the background, or with nohup, may have had it ignored, and then no shell traps it.
            before = signal.signal(number, signal.SIG_DFL)
            process = subprocess.Popen([PROGRAM, "run", "--scrape", "none", "--server", self.url, "--", "bash", "-c",
                                        script.format(name)], stdout=subprocess.PIPE)
            signal.signal(number, before)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            process.send_signal(number)
            self.assertEqual(process.stdout.read(), b"caught\n")
            self.assertEqual(process.wait(timeout=30), 5)

    def test_what_the_program_is_told(self):
        # What the user has set is left alone.
        environment = {**os.environ, "OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "a=b"}
        done = self.run_program("sh", "-c", "env | grep ^OTEL_ | sort", env=environment)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(lines[0], f"OTEL_EXPORTER_OTLP_ENDPOINT={self.url}")
        self.assertEqual(lines[1], "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
        self.assertRegex(lines[2], "^OTEL_RESOURCE_ATTRIBUTES=a=b,service.instance.id=[0-9a-f-]{36}$")
        self.assertEqual(lines[3], "OTEL_SERVICE_NAME=mine")

    def test_metrics_are_found(self):
        page = ("import http.server\nclass H(http.server.BaseHTTPRequestHandler):\n  n=0\n  def do_GET(s):\n    H.n+=1\n"
                "    s.send_response(200)\n    s.send_header('Content-Type','text/html')\n    s.end_headers()\n"
                "    s.wfile.write(b'# TYPE asked_total counter\\nasked_total %d\\n' % H.n)\n"
                "  def log_message(s,*a): pass\nhttp.server.HTTPServer(('',0),H).serve_forever()")
        process = subprocess.Popen([PROGRAM, "run", "--service", "web", "--server", self.url, "--", sys.executable, "-c",
                                    page], stderr=subprocess.PIPE, text=True)
        self.assertIn("scraping http://127.0.0.1:", process.stderr.readline())
        until = time.monotonic() + 20
        while not (found := rows(self.server, 'samples{metric = "asked_total"} | keep value, job, service')):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)
        self.assertEqual(found[0][1:], ["web", "web"])

        def now(metric):
            return rows(self.server, f'last_over_time({metric}{{job="web"}}[1m]) | tail 1 | keep value')
        self.assertEqual(now("up"), [[1]])
        self.assertEqual(now("scrape_samples_scraped"), [[1]])
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 128 + signal.SIGTERM)
        # It is not scraped any more, so its series have ended.
        markers = self.server.request("GET", "/api/v1/query?query=asked_total")[1]
        self.assertIn(b'"result":[]', markers)
        self.assertIn(b'"result":[]', self.server.request("GET", "/api/v1/query?query=up")[1])

    def test_metrics_outlive_a_server_that_is_away(self):
        self.server.kill()
        page = ("import http.server\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(s):\n"
                "    s.send_response(200)\n    s.end_headers()\n    s.wfile.write(b'kept 7\\n')\n"
                "  def log_message(s,*a): pass\nhttp.server.HTTPServer(('127.0.0.1',0),H).serve_forever()")
        process = subprocess.Popen([PROGRAM, "run", "--service", "web", "--server", self.url, "--", sys.executable, "-c",
                                    page], stderr=subprocess.PIPE, text=True)
        self.assertIn("scraping http://127.0.0.1:", process.stderr.readline())
        self.assertIn("trying again", process.stderr.readline())
        self.server.start()
        until = time.monotonic() + 20
        while not rows(self.server, 'samples{metric = "kept", service = "web"} | keep value'):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 128 + signal.SIGTERM)

    def test_a_store_of_its_own(self):
        data = os.path.join(self.folder.name, "own")
        done = subprocess.run([PROGRAM, "pipe", "--service", "p", "--data", data], input=b"one\ntwo", capture_output=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"one\ntwo", b""))
        done = subprocess.run([PROGRAM, "query", "--data", data, "--format", "csv", "logs | keep service, message"],
                              capture_output=True, text=True)
        self.assertEqual(done.stdout.split(), ["service,message", "p,one", "p,two"])

    def test_ports_that_others_have(self):
        # The usual port of HTTP is another's, here or on the machine; one of Jaeger's is, the other is free.
        with socket.socket() as http, socket.socket(type=socket.SOCK_DGRAM) as taken, \
                socket.socket(type=socket.SOCK_DGRAM) as free:
            try:
                http.bind(("127.0.0.1", 4318))
                http.listen()
            except OSError:
                pass
            for one in (taken, free):
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in (taken, free)]
            free.close()
            data = os.path.join(self.folder.name, "served")
            send = ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto("
                    f"{jaeger_datagram('shop', 'told')!r}, ('127.0.0.1', {ports[1]}))")
            done = subprocess.run([PROGRAM, "run", "--scrape", "none", "--data", data, "--jaeger-udp", str(ports[0]),
                                   "--jaeger-udp", str(ports[1]), "--", sys.executable, "-c", send],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        notes = [line for line in done.stderr.splitlines() if "note:" in line]
        about_http = [note for note in notes if "127.0.0.1:4318: Address already in use; using a free port" in note]
        about_udp = [note for note in notes if f"UDP 127.0.0.1:{ports[0]}: Address already in use" in note]
        self.assertEqual((len(about_http), len(about_udp)), (1, 1), done.stderr)
        self.assertNotIn(f":{ports[1]}: Address", done.stderr)
        self.assertRegex(done.stderr, "listening on http://127.0.0.1:[0-9]+\n")
        done = subprocess.run([PROGRAM, "query", "--data", data, "--format", "csv", "spans | keep service, name"],
                              capture_output=True, text=True)
        self.assertEqual(done.stdout.split(), ["service,name", "shop,told"])

    def test_pipe_says_what_it_could_not_deliver(self):
        self.server.kill()
        began = time.monotonic()
        done = subprocess.run([PROGRAM, "pipe", "--server", self.url], input=b"one\n", capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, b"one\n"))
        self.assertIn(b"1 log record could not be delivered", done.stderr)
        self.assertLess(time.monotonic() - began, 30)

    def test_tail_through_kills(self):
        self.server.kill()
        log = os.path.join(self.folder.name, "app.log")
        self.server = Server(os.path.join(self.folder.name, "tailed"), "--tail", f"web={log}*")
        self.server.start()
        random.seed(5)
        written, stop = [0], threading.Event()

        def write():
            file = open(log, "a", encoding="utf-8")
            while not stop.is_set():
                for _ in range(random.randrange(200)):
                    file.write(f"line {written[0]}\n")
                    written[0] += 1
                file.flush()
                if random.randrange(10) == 0:
                    os.rename(log, f"{log}.{written[0]}")
                    file.close()
                    file = open(log, "a", encoding="utf-8")
                time.sleep(random.random() / 20)
            file.close()
        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(6):
            time.sleep(random.random())
            self.server.kill()
            self.server.start()
        stop.set()
        writer.join()
        until = time.monotonic() + 30
        count = 'logs{service = "web"} | stats n = count(), d = distinct(message)'
        while rows(self.server, count)[0][0] < written[0] and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1.5)
        self.assertEqual(rows(self.server, count), [[written[0], written[0]]])


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(Capture))
    failed = len(result.failures) + len(result.errors)
    print(f"[  PASSED  ] {result.testsRun - failed} tests.")
    if failed:
        print(f"[  FAILED  ] {failed} tests, listed below:")
    sys.exit(1 if failed else 0)
