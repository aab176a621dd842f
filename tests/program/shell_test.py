"""`braid query` without a query, typed at through a pseudo-terminal: on a directory and on a server."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from expectations import expect, finish  # noqa: E402
from server_process import PROGRAM, Server  # noqa: E402


class Shell:
    def __init__(self, home, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=home, TERM="xterm", COLUMNS="120", LC_ALL="C.UTF-8")
            os.environ.pop("XDG_STATE_HOME", None)
            os.environ.pop("NO_COLOR", None)
            os.execv(PROGRAM, [PROGRAM, "query", *arguments])
        self.seen = ""
        self.wait("braid> ")

    def wait(self, text, seconds=20):
        """What is shown until `text` appears, escapes taken out."""
        until, raw = time.monotonic() + seconds, b""
        while time.monotonic() < until:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    raw += os.read(self.fd, 65536)
                except OSError:
                    break
            self.raw = raw.decode("utf-8", "replace")
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.raw)
            if text in plain:
                return plain
        raise RuntimeError(f"{text!r} did not appear in:\n{self.raw}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, text):
        """Types a line and gives what is shown up to the next prompt."""
        self.type(text + "\n")
        time.sleep(0.1)
        return self.wait("braid> ")

    def end(self):
        self.type("\x04")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def check(where, home, *arguments):
    shell = Shell(home, *arguments)
    shown = shell.ask("logs | stats n = count() by (service)")
    expect(f"{where}: a table", re.search(r"api\s+2", shown) and re.search(r"web\s+1", shown), shown)

    shown = shell.ask("logs | wehre x = 1")
    expect(f"{where}: an error with its place", "error[E019]" in shown and "^^^^^" in shown and "where" in shown, shown)
    expect(f"{where}: the error is coloured", "\x1b[31m" in shell.raw, shell.raw)

    shell.type("logs{\n")
    shell.wait("...> ")
    shell.type("service = \"web\"\n")
    shell.wait("...> ")
    shown = shell.ask("} | stats n = count()")
    expect(f"{where}: a statement of several lines", re.search(r"\n\s*1\n", shown), shown)

    shell.type("logs | lim\t")
    time.sleep(0.3)
    shown = shell.ask(" 1 | keep message")
    expect(f"{where}: a stage is completed", "limit 1" in shown and "first" in shown, shown)

    shell.type("logs{serv\t")
    time.sleep(0.3)
    shell.type(" = \"a\t")
    time.sleep(1)
    shown = shell.ask("} | stats n = count()")
    expect(f"{where}: a column and its value are completed", 'service = "api"' in shown and re.search(r"\n\s*2\n", shown), shown)

    shell.type("reque\t")
    time.sleep(0.5)
    shown = shell.ask("")
    expect(f"{where}: a metric is completed and its series drawn", "requests_total" in shown and "▁" in shown and "█" in shown,
           shown)

    shell.ask("\\format csv")
    shown = shell.ask("logs | stats n = count()")
    expect(f"{where}: another format", "n\n3\n" in shown, shown)
    shell.ask("\\format")

    shell.type("logs | wh")
    time.sleep(0.2)
    shell.type("\x03")
    shell.wait("braid> ")
    shown = shell.ask("logs | stats total = count()")
    expect(f"{where}: Ctrl-C drops the line", "total" in shown and re.search(r"\n\s*3\n", shown), shown)
    expect(f"{where}: Ctrl-D ends", shell.end() == 0)

    again = Shell(home, *arguments)
    again.type("\x1b[A")
    time.sleep(0.3)
    shown = again.ask("")
    expect(f"{where}: the history is kept", "logs | stats total = count()" in shown and re.search(r"\n\s*3\n", shown), shown)
    expect(f"{where}: ends again", again.end() == 0)


def main():
    signal.alarm(240)
    work = tempfile.mkdtemp(prefix="braid-shell-")
    try:
        logs, metrics = os.path.join(work, "logs.ndjson"), os.path.join(work, "metrics.prom")
        with open(logs, "w", encoding="utf-8") as out:
            for second, service, message in ((1, "api", "first"), (2, "api", "second"), (3, "web", "third")):
                out.write(f'{{"timestamp":"2026-01-31T10:00:0{second}Z","service":"{service}","level":"info","message":"{message}"}}\n')
        with open(metrics, "w", encoding="utf-8") as out:
            for second in range(0, 60, 5):
                out.write(f'requests_total{{service="api"}} {second} {1769853600000 + second * 1000}\n')
        data = os.path.join(work, "store")
        subprocess.run([PROGRAM, "import", "-q", "--data", data, logs, metrics], check=True)
        check("directory", os.path.join(work, "home"), "--data", data)
        history = os.path.join(work, "home/.local/state/braid/query_history")
        expect("the history is for its user alone", os.path.exists(history) and os.stat(history).st_mode & 0o077 == 0)
        server = Server(data).start()
        try:
            check("server", os.path.join(work, "home2"), "--server", f"http://127.0.0.1:{server.port}",
                  "--range", "2026-01-31T10:00:00Z..2026-01-31T10:01:00Z")
        finally:
            server.stop()
        piped = subprocess.run([PROGRAM, "query", "--data", data, "--format", "csv"], input="logs | stats n = count()", text=True,
                               capture_output=True, check=True)
        expect("without a terminal the query comes from standard input", piped.stdout == "n\n3\n", piped.stdout)
    finally:
        shutil.rmtree(work)
    finish()


if __name__ == "__main__":
    main()
