"""The differentials of tests/differential with so few queries that every run of the tests can afford them.

BRAID_PROMETHEUS names a Prometheus; otherwise one is unpacked into build/peers, and the part that needs it is skipped
where Debian is out of reach.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server_process import PROGRAM, ROOT  # noqa: E402

SEED = "20260131"
ROWS, VECTORS = 600, 600


def prometheus():
    if os.environ.get("BRAID_PROMETHEUS"):
        return os.environ["BRAID_PROMETHEUS"]
    peers = os.path.join(ROOT, "build", "peers")
    program = os.path.join(peers, "deb", "prometheus", "usr", "bin", "prometheus")
    if not os.path.exists(program):
        fetch = ("import sys; sys.path.insert(0, sys.argv[1]); from comparison import fetch_peers as f; "
                 "f.unpack_package(sys.argv[2], 'prometheus', f.apt_options(sys.argv[2]))")
        os.makedirs(peers, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-c", fetch, os.path.join(ROOT, "bench"), peers], check=True, timeout=120,
                           stdout=subprocess.DEVNULL)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"no Prometheus is to be had: {error}")
            return None
    return program


def run(name, *arguments):
    script = os.path.join(ROOT, "tests", "differential", name)
    return subprocess.run([sys.executable, script, "--braid", PROGRAM, "--seed", SEED, *arguments]).returncode == 0


def main():
    passed, failed, skipped = 0, [], 0
    parts = [("rows_differential.py", ROWS, ["--queries", str(ROWS), "--store", str(ROWS // 2)])]
    peer = prometheus()
    if peer is None:
        skipped = VECTORS
    else:
        parts.append(("promql_differential.py", VECTORS, ["--queries", str(VECTORS), "--prometheus", peer]))
    for name, count, arguments in parts:
        if run(name, *arguments):
            passed += count
        else:
            failed.append(name)
        sys.stdout.flush()
    print(f"[  PASSED  ] {passed} tests.")
    if skipped:
        print(f"[  SKIPPED ] {skipped} tests.")
    if failed:
        print(f"[  FAILED  ] {len(failed)} test, listed below: {', '.join(failed)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
