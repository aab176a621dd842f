"""braid_bench on little data, `braid load` against a server, and a comparison without peers. No timing is asserted."""
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
        check_comparison(folder)
    finish()


main()
