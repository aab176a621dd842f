"""What the checks of clients share: where the clients are, a server, how they are run, and how results are told."""
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "program"))
import server_process  # noqa: E402
from server_process import PROGRAM, free_port  # noqa: E402,F401

CACHE = os.path.join(ROOT, "build", "clients")
DEBIAN = os.path.join(CACHE, "debian")
# Where programs and captured bytes of real clients may lie; they are not part of the repository.
CAPTURED = os.environ.get("BRAID_CLIENTS_DATA",
                          os.path.join(os.path.dirname(ROOT), "shared", "data", "clients"))


class Server(server_process.Server):
    """A server that does not outlive its check, however that ends."""
    started = []

    def start(self, seconds=30):
        Server.started.append(self)
        return super().start(seconds)

    @staticmethod
    def kill_all():
        for server in Server.started:
            if server.process is not None and server.process.poll() is None:
                server.kill()
        Server.started.clear()


Folder = tempfile.TemporaryDirectory


class Skip(Exception):
    """The check cannot be made here, and why."""


def need(condition, why):
    if not condition:
        raise Skip(why)


def need_node():
    need(os.path.exists(os.path.join(CACHE, "npm.done")), "npm's packages are not there")


def need_debian():
    need(os.path.exists(os.path.join(CACHE, "debian.done")), "Debian's packages are not there")


def node_command(script, *arguments):
    return ["node", os.path.join(HERE, script), *map(str, arguments)]


def node_environment():
    # Scripts lie in the repository, their packages in build/.
    return {**os.environ, "NODE_PATH": os.path.join(CACHE, "npm", "node_modules")}


def node(script, *arguments, seconds=60):
    """Runs a sender to its end; what it printed as JSON."""
    done = subprocess.run(node_command(script, *arguments), env=node_environment(), capture_output=True, text=True,
                          timeout=seconds)
    if done.returncode != 0:
        raise AssertionError(f"{script} {arguments} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def rows(server, query, **more):
    """The rows of an answer as dictionaries."""
    answer = server.query(query, **{"start": "now-1h", "end": "now+1h", "limit": 100000, **more})
    names = [column["name"] for column in answer["columns"]]
    return [dict(zip(names, row)) for row in answer["rows"]]


def await_that(condition, seconds=20, what="what was sent"):
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not arrive in {seconds} s")
        time.sleep(0.05)


def equal(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what}: found {str(found)[:1500]}, expected {str(expected)[:1500]}")


def run_checks(checks, words):
    """Runs the checks that were asked for; prints lines that tools/test adds up; the exit code."""
    passed, failed, skipped = [], [], []
    for check in checks:
        name = check.__name__.removeprefix("check_")
        if words and not any(word in name for word in words):
            continue
        began = time.monotonic()
        try:
            check()
            passed.append(name)
            print(f"ok       {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as why:
            skipped.append(name)
            print(f"skipped  {name}: {why}", flush=True)
        except Exception:  # a check that breaks has failed, the others are still made
            failed.append(name)
            print(f"FAILED   {name}\n{traceback.format_exc()}", flush=True)
        finally:
            Server.kill_all()
    print(f"[  PASSED  ] {len(passed)} tests.")
    if skipped:
        print(f"[  SKIPPED ] {len(skipped)} tests, listed above:")
    if failed:
        print(f"[  FAILED  ] {len(failed)} tests, listed below:")
        for name in failed:
            print(f"[  FAILED  ] {name}")
    return 1 if failed else 0
