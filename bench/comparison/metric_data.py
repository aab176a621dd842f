"""Metric data sets: real Prometheus text, and seeded decimals; as remote write bodies, text and CSV."""
import os
import random
import re
import struct
import subprocess

from .wire import BodyFile, remote_write_bodies, series_prefix

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+) (\d+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')
ESCAPES = re.compile(r'\\(.)')


def unescape(text):
    return ESCAPES.sub(lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), text) if "\\" in text else text


def to_float(text):
    return float(text.replace("Inf", "inf"))


def unpack(source, target):
    if not os.path.exists(target):
        with open(target + ".part", "wb") as out:
            command = ["zstd", "-dc", source] if source.endswith(".zst") else ["cat", source]
            subprocess.run(command, stdout=out, check=True)
        os.rename(target + ".part", target)
    return target


class MetricData:
    """name, text (path), series ([labels]), samples, start_ms, end_ms; bodies and csv are made when first asked for."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.text = None
        self.series = []
        self.columns = []  # per series: (times in ms, value texts or floats)
        self.samples = 0

    def in_order(self):
        """(time, series number, 8 bytes of the value) in order of time, as scrapes come."""
        out = []
        for number, (times, values) in enumerate(self.columns):
            packed = struct.pack(f"<{len(values)}d", *values)
            out += [(time, number, packed[8 * i:8 * i + 8]) for i, time in enumerate(times)]
        out.sort()
        return out

    def bodies(self):
        file = BodyFile(os.path.join(self.folder, self.name + ".remote-write"))
        if not os.path.exists(file.path):
            prefixes = [series_prefix(labels) for labels in self.series]
            file.write(remote_write_bodies(self.in_order(), prefixes))
        return file

    def csv(self):
        """samples.csv (series, time in ms, value) and series.csv (series, metric, labels as JSON)."""
        samples = os.path.join(self.folder, self.name + ".samples.csv")
        if not os.path.exists(samples):
            with open(samples + ".part", "w") as out:
                for number, (times, values) in enumerate(self.columns):
                    out.write("".join(f"{number},{time},{value!r}\n" for time, value in zip(times, values)))
            os.rename(samples + ".part", samples)
        series = os.path.join(self.folder, self.name + ".series.ndjson")
        if not os.path.exists(series):
            import json
            with open(series + ".part", "w") as out:
                for number, labels in enumerate(self.series):
                    rest = {k: v for k, v in labels.items() if k != "__name__"}
                    out.write(json.dumps({"series": number, "metric": labels["__name__"],
                                          "service": rest.get("service", ""), "pod": rest.get("pod", ""),
                                          "labels": json.dumps(rest)}) + "\n")
            os.rename(series + ".part", series)
        return samples, series

    def open_metrics(self):
        path = os.path.join(self.folder, self.name + ".om")
        if not os.path.exists(path):
            with open(path + ".part", "w") as out:
                for labels, (times, values) in zip(self.series, self.columns):
                    pairs = ",".join(f'{k}="{escape(v)}"' for k, v in labels.items() if k != "__name__")
                    head = labels["__name__"] + ("{" + pairs + "} " if pairs else " ")
                    out.write("".join(f"{head}{text_of(value)} {time / 1000:.3f}\n"
                                      for time, value in zip(times, values)))
                out.write("# EOF\n")
            os.rename(path + ".part", path)
        return path

    def range_s(self):
        return (min(times[0] for times, _ in self.columns) / 1000, max(times[-1] for times, _ in self.columns) / 1000)

    def raw_bytes(self):
        return os.path.getsize(self.text)


def escape(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def text_of(value):
    return "NaN" if value != value else {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value) or repr(value)


def real_metrics(name, source, folder):
    data = MetricData(name, folder)
    data.text = unpack(source, os.path.join(folder, name + ".prom"))
    numbers, last_head, column = {}, None, None
    with open(data.text) as file:
        for line in file:
            if line[0] == "#" or line == "\n":
                continue
            head, value, time = line.rsplit(" ", 2)
            if head != last_head:
                last_head = head
                if head not in numbers:
                    metric, _, inner = head.partition("{")
                    labels = {"__name__": metric}
                    labels.update((k, unescape(v)) for k, v in LABEL.findall(inner.rstrip("}")))
                    numbers[head] = len(data.series)
                    data.series.append(labels)
                    data.columns.append(([], []))
                column = data.columns[numbers[head]]
            column[0].append(int(time))
            column[1].append(to_float(value))
    for number, (times, values) in enumerate(data.columns):
        if any(a >= b for a, b in zip(times, times[1:])):
            pairs = dict(zip(times, values))
            data.columns[number] = tuple(map(list, zip(*sorted(pairs.items()))))
    data.samples = sum(len(times) for times, _ in data.columns)
    return data


START_MS = 1_767_261_600_000  # 2026-01-01T10:00:00Z


def decimal_series(random_, kind, steps):
    """Values as programs export them: counters, sizes, percentages, temperatures, constants, small sums."""
    out, value = [], 0.0
    if kind == 0:
        for _ in range(steps):
            value += random_.randrange(50)
            out.append(value)
    elif kind == 1:
        total = random_.randrange(10**6)
        for _ in range(steps):
            total += random_.randrange(200)
            out.append(total / 1000)
    elif kind == 2:
        out = [float(random_.randrange(4096) * 4096 + 120_000_000) for _ in range(steps)]
    elif kind == 3:
        out = [random_.randrange(1000) / 10 for _ in range(steps)]
    elif kind == 4:
        out = [float(random_.randrange(100))] * steps
    elif kind == 5:
        level = 2000
        for _ in range(steps):
            level += random_.randrange(-5, 6)
            out.append(level / 100)
    elif kind == 6:
        out = [float(random_.random() < 0.02) for _ in range(steps)]
    elif kind == 7:
        out = [random_.randrange(10**6) * 1e-7 for _ in range(steps)]
    elif kind == 8:
        for _ in range(steps):
            value += 0.001 * random_.randrange(20)
            out.append(value)
    else:
        for i in range(steps):
            value += random_.randrange(8) if i % 40 < 10 else 0
            out.append(value)
    return out


def generated_metrics(folder, series, steps, name="generated"):
    """`series` counters of one metric and as many series of ten kinds, every 15 s: decimals, eight labels."""
    data = MetricData(f"{name}-{series}x{steps}", folder)
    random_ = random.Random(7)
    times = [START_MS + i * 15_000 for i in range(steps)]
    for number in range(series * 2):
        counter = number < series
        host = number % 200
        data.series.append({
            "__name__": "http_requests_total" if counter else f"node_metric_{number % 10}", "job": "bench",
            "instance": f"host-{host}:9100", "role": f"role-{host % 5}", "region": f"eu-west-{host % 3}",
            "path": f"/api/v1/resource/{number // 200}", "code": str(200 + number % 4), "version": f"v1.{host % 7}.0"})
        data.columns.append((times, decimal_series(random_, 0 if counter else number % 10, steps)))
    data.samples = 2 * series * steps
    data.text = os.path.join(folder, data.name + ".prom")
    if not os.path.exists(data.text):
        with open(data.text + ".part", "w") as out:
            for labels, (_, values) in zip(data.series, data.columns):
                pairs = ",".join(f'{k}="{v}"' for k, v in labels.items() if k != "__name__")
                head = labels["__name__"] + "{" + pairs + "} "
                out.write("".join(f"{head}{value!r} {time}\n" for time, value in zip(times, values)))
        os.rename(data.text + ".part", data.text)
    return data


def many_series_bodies(folder, series, steps):
    """Remote write bodies of very many series with few samples each: eight labels, one metric."""
    file = BodyFile(os.path.join(folder, f"many-{series}x{steps}.remote-write"))
    if os.path.exists(file.path):
        return file
    prefixes = [series_prefix({
        "__name__": "pod_requests_total", "job": "many", "instance": f"host-{i % 500}:9100", "pod": f"pod-{i}",
        "namespace": f"ns-{i % 50}", "role": f"role-{i % 5}", "region": f"eu-west-{i % 3}", "code": str(200 + i % 4)})
        for i in range(series)]

    def samples():
        for step in range(steps):
            for i in range(series):
                yield START_MS + step * 15_000, i, struct.pack("<d", float(step * (i % 97) + i % 13))

    file.write(remote_write_bodies(samples(), prefixes, 5000))
    return file
