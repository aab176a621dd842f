"""What a comparison has at hand: paths, data sets made once, and stores that are loaded once and shared by rows."""
import os
import shutil

from . import event_data, metric_data
from .stores import Braid, Peers, Prometheus, SqlEngine, VictoriaMetrics


class Context:
    def __init__(self, arguments, table):
        self.braid_path = os.path.abspath(arguments.braid)
        self.data_folder = arguments.data
        self.work = os.path.abspath(arguments.work)
        self.inputs = os.path.join(self.work, "inputs")
        self.stores = os.path.join(self.work, "stores")
        shutil.rmtree(self.stores, ignore_errors=True)
        os.makedirs(self.inputs, exist_ok=True)
        os.makedirs(self.stores)
        self.quick = arguments.quick
        self.profile = arguments.profile
        self.repeats = arguments.repeats or (3 if self.quick else 7)
        self.ingest_repeats = 1 if self.quick else 3
        self.peers = Peers(arguments.peers)
        self.table = table
        self.shared = {}
        self.counter = 0
        self.running = []

    def source(self, name):
        if not self.data_folder:
            raise RuntimeError(f"--data DIR is needed for {name}")
        return os.path.join(self.data_folder, name)

    def once(self, key, make):
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def folder(self, name):
        self.counter += 1
        return os.path.join(self.stores, f"{self.counter:03}-{name}")

    def own(self, store):
        """Remembers a store so that it is stopped at the end whatever happens."""
        self.running.append(store)
        return store

    def drop(self, store):
        """Stops a store and removes its files."""
        store.stop()
        if store in self.running:
            self.running.remove(store)
        shutil.rmtree(store.folder, ignore_errors=True)

    def close(self):
        for store in self.running:
            store.stop()
        shutil.rmtree(self.stores, ignore_errors=True)

    # ---- stores, empty

    def braid(self, *arguments, durability="durable", cores=None):
        return self.own(Braid(self.braid_path, self.folder("braid"), cores, durability, arguments))

    def victoria(self):
        return self.own(VictoriaMetrics(self.peers.victoria, self.folder("victoria"))) if self.peers.victoria else None

    def prometheus(self):
        if not self.peers.prometheus:
            return None
        return self.own(Prometheus(self.peers.prometheus, self.folder("prometheus")))

    def sql(self, name):
        modules = getattr(self.peers, name)
        return self.own(SqlEngine(name, modules, self.folder(name))) if modules else None

    # ---- data

    def metrics(self, name):
        if name == "generated":
            size = (200, 240) if self.quick else (2000, 1440)
            return self.once(("metrics", name), lambda: metric_data.generated_metrics(self.inputs, *size))
        sources = {"prometheus-self": "metrics/prometheus-self.prom.zst", "nezha-day": "nezha-day/metrics.prom.zst"}
        return self.once(("metrics", name),
                         lambda: metric_data.real_metrics(name, self.source(sources[name]), self.inputs))

    def logs(self, name):
        return self.once(("logs", name), lambda: event_data.logs_of(name, self.inputs, self))

    def spans(self, name):
        return self.once(("spans", name), lambda: event_data.spans_of(name, self.inputs, self))

    def event_sets(self, *wanted):
        """Names of the generated sets: 1x and 10x."""
        return ["generated-2", "generated-20"] if self.quick else ["generated-10", "generated-100"]

    def ten_times_lines(self):
        """Name of a set ten times the larger one, of which only the lines are kept."""
        return "generated-200" if self.quick else "generated-1000"
