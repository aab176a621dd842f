"""Senders while the server is killed, its disk is full, or it has too much to do: what was acknowledged is there."""
import http.client
import json
import os
import random
import subprocess
import threading
import time

from checks import (DEBIAN, Folder, PROGRAM, Server, await_that, equal, need, need_debian, need_node, node_command,
                    node_environment, rows)
from sender_checks import MetricsPage, free_port, samples_of


def records(server, query, **more):
    return rows(server, query, **more)


def check_fault_pipe_through_kills():
    """`braid pipe` holds back what a dead server does not take; records that arrive twice can be told by their number."""
    lines = 20000
    with Folder() as folder:
        server = Server(os.path.join(folder, "store")).start()
        pipe = subprocess.Popen([PROGRAM, "pipe", "--service", "p", "--server", f"http://127.0.0.1:{server.port}"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        echoed = []
        reader = threading.Thread(target=lambda: echoed.extend(pipe.stdout), daemon=True)
        reader.start()
        for i in range(lines):
            pipe.stdin.write(f"line {i}\n")
            if i % 4000 == 3999:
                pipe.stdin.flush()
                time.sleep(0.4)
                server.kill()
                time.sleep(0.3)
                server.start()
        pipe.stdin.close()
        code = pipe.wait(timeout=60)
        reader.join()
        errors = pipe.stderr.read()
        equal(code, 0, errors)
        equal(len(echoed), lines, "lines passed through")
        found = records(server, 'logs{service = "p"} | stats n = count(), d = distinct(message), '
                                'numbers = distinct(log.record.number)')[0]
        equal((found["d"], found["numbers"]), (lines, lines), f"distinct lines of {found['n']} records")
        server.stop()


def check_fault_prometheus_through_kills():
    """Prometheus sends again what was not acknowledged; samples that arrive twice are one."""
    need_node()
    need_debian()
    with Folder() as folder, MetricsPage() as page:
        server = Server(os.path.join(folder, "store")).start()
        port = free_port()
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'''
global: {{scrape_interval: 100ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{page.port}"]}}]
remote_write:
  - url: http://127.0.0.1:{server.port}/api/v1/write
    queue_config: {{batch_send_deadline: 100ms, max_backoff: 500ms}}
''')
        process = subprocess.Popen(
            [os.path.join(DEBIAN, "usr/bin/prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(3):
                time.sleep(2)
                server.kill()
                time.sleep(1)
                server.start()
            page.process.kill()
            time.sleep(1)
            selector = f'{{job="shop"}}[1m] @ {time.time():.3f}'
            there = samples_of(port, selector)
            equal(sum(map(len, there.values())) > 300, True, "samples scraped")
            await_that(lambda: samples_of(server.port, selector) == there, seconds=20, what="every sample of Prometheus")
        finally:
            process.terminate()
            process.wait()
        server.stop()


def mounted(folder, size):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    need(done.returncode == 0, "no tmpfs can be mounted here")


def check_fault_disk_full():
    """A full disk is told before the acknowledgement; once there is room again everything arrives."""
    with Folder() as folder:
        small = os.path.join(folder, "small")
        os.mkdir(small)
        mounted(small, "24m")
        try:
            ballast = os.path.join(small, "ballast")
            with open(ballast, "wb") as file:
                file.write(b"\0" * (12 << 20))
            # The default reserve is larger than this disk.
            server = Server(os.path.join(small, "store"), "--reserve", "2MB").start()
            lines = 60000
            pipe = subprocess.Popen([PROGRAM, "pipe", "--service", "p", "--server", f"http://127.0.0.1:{server.port}"],
                                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            said = []
            reader = threading.Thread(target=lambda: said.extend(pipe.stderr), daemon=True)
            reader.start()
            for i in range(lines):
                pipe.stdin.write(f"line {i} {random.randbytes(150).hex()}\n")
            pipe.stdin.flush()
            await_that(lambda: any("507" in line or "503" in line for line in said), seconds=30, what="the full disk's answer")
            os.remove(ballast)
            pipe.stdin.close()
            code = pipe.wait(timeout=60)
            reader.join()
            equal(code, 0, "".join(said))
            found = records(server, 'logs{service = "p"} | stats n = count(), d = distinct(message)')[0]
            equal((found["n"], found["d"]), (lines, lines), "lines")
            server.kill()
            server.start()
            found = records(server, 'logs{service = "p"} | stats n = count()')[0]
            equal(found["n"], lines, "lines after kill -9")
            server.stop()
        finally:
            subprocess.run(["umount", "-l", small], check=False)


def check_fault_otlp_through_kills():
    """What OpenTelemetry's SDK was told is exported is there. It gives up a batch whose connection fails."""
    need_node()
    with Folder() as folder:
        server = Server(os.path.join(folder, "store")).start()
        sender = subprocess.Popen(node_command("steady.js", f"http://127.0.0.1:{server.port}"), env=node_environment(),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(3):
            time.sleep(1.2)
            server.kill()
            time.sleep(0.5)
            server.start()
        time.sleep(1)
        sent = json.loads(sender.communicate(timeout=60)[0].splitlines()[-1])
        equal(len(sent["acknowledged"]) > 100, True, f"{len(sent['acknowledged'])} spans were acknowledged")
        found = [s["span_id"] for s in records(server, 'spans{service = "steady"} | keep span_id')]
        missing = set(sent["acknowledged"]) - set(found)
        equal(missing, set(), "acknowledged spans that are missing")
        # A span that was sent twice is two rows with one id: so they are counted.
        unknown = set(found) - set(sent["acknowledged"]) - set(sent["failed"])
        equal(unknown, set(), "spans that nobody sent")
        server.stop()


def check_fault_overload():
    """More requests at once than wait in line are told to come again (503, Retry-After), do so, and lose nothing."""
    threads, each = 600, 3
    with Folder() as folder:
        server = Server(os.path.join(folder, "store")).start()
        refused, wrong = [], []
        ready = threading.Barrier(threads)

        def send(number):
            ready.wait()
            for i in range(each):
                while True:
                    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                    try:
                        connection.request("POST", "/ingest/jsonl?service=o", json.dumps({"msg": f"{number}.{i}"}))
                        answer = connection.getresponse()
                        answer.read()
                    except OSError as error:
                        # A full backlog of the kernel; nothing was acknowledged.
                        refused.append(str(error))
                        time.sleep(0.2)
                        continue
                    finally:
                        connection.close()
                    if answer.status == 200:
                        break
                    if answer.status != 503 or not answer.getheader("Retry-After"):
                        wrong.append((answer.status, answer.getheader("Retry-After")))
                        break
                    refused.append("503")
                    time.sleep(0.2)
        running = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        equal(wrong, [], "answers that are neither 200 nor 503 with Retry-After")
        found = records(server, 'logs{service = "o"} | stats n = count(), d = distinct(message)')[0]
        equal((found["n"], found["d"]), (threads * each, threads * each), f"lines ({len(refused)} refusals)")
        server.stop()


CHECKS = [check_fault_pipe_through_kills, check_fault_prometheus_through_kills, check_fault_disk_full,
          check_fault_otlp_through_kills, check_fault_overload]
