"""braid_bench and braid_query_worker on little data, `braid load`, a comparison without peers. No timing is asserted."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from expectations import expect, finish  # noqa: E402
from server_process import PROGRAM, ROOT, Server  # noqa: E402

BENCH = os.path.join(os.path.dirname(PROGRAM), "bench", "braid_bench")


def check_workloads(folder):
    listed = subprocess.run([BENCH, "--help"], check=True, capture_output=True, text=True).stdout
    names = [line.split()[0] for line in listed.split("Workloads:")[1].splitlines() if line.startswith("  ")]
    run = subprocess.run([BENCH, "--scale", "0.05", "--repeats", "1", "--json", "--folder", os.path.join(folder, "bench")],
                         capture_output=True, text=True)
    expect("braid_bench ends well", run.returncode == 0, run.stderr)
    found = {m["workload"]: m for m in map(json.loads, run.stdout.splitlines())}
    expect("every listed workload is measured", sorted(found) == sorted(names), sorted(set(names) ^ set(found)))
    expect("all that is filled by signal is filled together",
           found["fill-mixed"]["count"] == sum(found[n]["count"] for n in ("fill-metrics", "fill-logs", "fill-traces")))
    expect("a needle is one line", found["needle"]["rows"] == 1, found["needle"])


def check_load(folder):
    server = Server(os.path.join(folder, "load")).start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        run = subprocess.run([PROGRAM, "load", "--server", url, "--duration", "1s", "--concurrency", "2", "--batch", "100"],
                             capture_output=True, text=True)
        expect("braid load finds all that was acknowledged", run.returncode == 0, run.stdout + run.stderr)
        acknowledged = {line.split(":")[0]: int(line.split()[1].replace(",", "")) for line in run.stdout.splitlines()
                        if " acknowledged in " in line}
        expect("three signals were sent", sorted(acknowledged) == ["logs", "metrics", "traces"], run.stdout)
        for source, signal in (("logs", "logs"), ("spans", "traces"), ("samples", "metrics")):
            found = server.query(f"{source} | stats n = count()")["rows"][0][0]
            expect(f"{signal} are there", found == acknowledged.get(signal), (found, acknowledged))
    finally:
        server.stop()
    run = subprocess.run([PROGRAM, "load", "--server", "http://127.0.0.1:1", "--duration", "1s"], capture_output=True)
    expect("load on nothing fails", run.returncode == 1)


def check_query_worker(folder):
    made, store = os.path.join(folder, "made"), os.path.join(folder, "worker")
    subprocess.run([PROGRAM, "generate", "--out", made, "--rate", "1", "--quiet"], check=True)
    logs = os.path.join(made, "logs.ndjson")
    subprocess.run([PROGRAM, "import", "--quiet", "--data", store, logs], check=True, stdout=subprocess.DEVNULL)
    with open(logs) as file:
        lines = sum(1 for line in file)
    requests = [{"query": "logs | keep message", "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z",
                 "limit": 1_000_000}, {"query": "logs |"}]
    run = subprocess.run([os.path.join(os.path.dirname(BENCH), "braid_query_worker"), store], capture_output=True, text=True,
                         input="".join(json.dumps(r) + "\n" for r in requests))
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    expect("braid_query_worker is ready and answers each line", len(answers) == 3 and "ready" in answers[0], run)
    expect("it has read every row", answers[1]["rows"] == lines, (answers[1], lines))
    expect("it tells a time", answers[1]["ms"] > 0 and answers[1]["cpu_ms"] >= 0, answers[1])
    expect("and names what is wrong", "error" in answers[2], answers[2])


def check_comparison(folder):
    run = subprocess.run([os.path.join(ROOT, "bench", "compare"), "M8", "G8", "--quick", "--braid", PROGRAM, "--repeats",
                          "1", "--work", os.path.join(folder, "compare"), "--out", os.path.join(folder, "table.md")],
                         capture_output=True, text=True)
    expect("bench/compare ends well without peers", run.returncode == 0, run.stdout + run.stderr)
    with open(os.path.join(folder, "table.md.json")) as file:
        expect("the rows are measured", {"M8", "G8"} == {row["row"] for row in json.load(file)})


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_workloads(folder)
        check_load(folder)
        check_query_worker(folder)
        check_comparison(folder)
    finish()


main()
