"""Server processes of a comparison: start, readiness, CPU seconds and memory from /proc, and a lean HTTP client."""
import os
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of all threads, also of those that have ended."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_kb(pid, field):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return 0


def tree_bytes(path):
    """Bytes of the files below `path`, sparse and preallocated ends not counted."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            entry = os.stat(os.path.join(folder, name))
            total += min(entry.st_size, entry.st_blocks * 512) if entry.st_blocks else entry.st_size
    return total


def forget_pages(path):
    """Lets the kernel drop the cached pages of the files below `path`."""
    for folder, _, names in os.walk(path):
        for name in names:
            handle = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


class Http:
    """One kept-alive connection. Sends a request with one write and reads the answer whole."""

    def __init__(self, port):
        self.port = port
        self.socket = None
        self.rest = b""

    def request(self, method, path, body=b"", headers=(), timeout=600):
        for attempt in (0, 1):
            fresh = self.socket is None
            try:
                if fresh:
                    self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
                    self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.rest = b""
                return self._exchange(method, path, body, headers)
            except (OSError, ConnectionError):
                self.close()
                if attempt or fresh:
                    raise
        raise ConnectionError("not reached")

    def _exchange(self, method, path, body, headers):
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        head += [f"{name}: {value}" for name, value in headers]
        if body or method == "POST":
            head.append(f"Content-Length: {len(body)}")
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + body)
        data = self.rest
        while b"\r\n\r\n" not in data:
            data += self._receive()
        start, data = data.split(b"\r\n\r\n", 1)
        lines = start.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        if fields.get("transfer-encoding", "") == "chunked":
            answer, data = self._chunks(data)
        else:
            length = int(fields.get("content-length", 0)) if status not in (204, 304) else 0
            pieces, have = [data], len(data)
            while have < length:
                pieces.append(self._receive())
                have += len(pieces[-1])
            data = b"".join(pieces)
            answer, data = data[:length], data[length:]
        self.rest = data
        if fields.get("connection", "").lower() == "close":
            self.close()
        return status, answer

    def _chunks(self, data):
        buffer, at, out = bytearray(data), 0, []
        while True:
            end = buffer.find(b"\r\n", at)
            if end < 0:
                buffer += self._receive()
                continue
            size = int(buffer[at:end].split(b";")[0], 16)
            while len(buffer) < end + 4 + size:
                buffer += self._receive()
            out.append(bytes(buffer[end + 2:end + 2 + size]))
            at = end + 4 + size
            if size == 0:
                return b"".join(out), bytes(buffer[at:])

    def _receive(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


class ServerProcess:
    """A program that serves HTTP on a free loopback port. Ends only what it started."""

    def __init__(self, name, command, log, ready="/-/ready", cores=None):
        self.name = name
        self.port = free_port()
        self.command = [part.replace("{port}", str(self.port)) for part in command]
        self.log = log
        self.ready = ready
        self.cores = cores
        self.process = None
        self.http = Http(self.port)

    def start(self, seconds=300):
        """Starts and waits until it is ready; returns the seconds that took."""
        began = time.monotonic()
        preexec = (lambda: os.sched_setaffinity(0, self.cores)) if self.cores else None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, preexec_fn=preexec)
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode} at its start; see {self.log}")
            try:
                if self.http.request("GET", self.ready)[0] == 200:
                    return time.monotonic() - began
            except (OSError, ConnectionError):
                pass
            time.sleep(0.002)
        raise RuntimeError(f"{self.name} was not ready within {seconds} s; see {self.log}")

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def peak_kb(self):
        return memory_kb(self.process.pid, "VmHWM")

    def resident_kb(self):
        return memory_kb(self.process.pid, "VmRSS")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.http.close()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()
        self.http.close()


class Profile:
    """Where a process spends its time while the block runs, by `perf`: the largest parts, as "12 % function"."""

    PARTS = 6

    def __init__(self, pid, folder, wanted=True):
        self.pid, self.data, self.wanted = pid, os.path.join(folder, "perf.data"), wanted
        self.parts = []

    def __enter__(self):
        if self.wanted:
            self.recorder = subprocess.Popen(["perf", "record", "-e", "cpu-clock", "-F", "1999", "-p", str(self.pid), "-o",
                                              self.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)  # until it has attached
        return self

    def __exit__(self, *_):
        if not self.wanted:
            return
        self.recorder.send_signal(signal.SIGINT)
        self.recorder.wait()
        report = subprocess.run(["perf", "report", "-i", self.data, "--no-children", "--stdio", "-F", "overhead,sym"],
                                capture_output=True, text=True).stdout
        for line in report.splitlines():
            percent, _, symbol = line.strip().partition("%")
            if symbol and not line.startswith("#") and "0x0000" not in symbol:
                name = symbol.strip().removeprefix("[.] ").removeprefix("[k] ").replace("(anonymous namespace)::", "")
                self.parts.append(f"{float(percent):.0f} % {name.replace('braid::', '')[:60]}")
        self.parts = self.parts[:self.PARTS]
