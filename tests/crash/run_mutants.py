#!/usr/bin/env python3
"""Checks the fault tests themselves: does at least one of them fail for each seeded fault of mutants.py?

  run_mutants.py [--folder FOLDER] [--no-build] [NAME...]

Copies the tree to FOLDER (build/mutants), puts the faults in, each behind a switch, builds the fault tests once and
runs them with each switch on, the quickest first, until one fails. Ends with 1 if a fault was not caught. Takes some
minutes for the build, then seconds for most faults and two minutes at the most; not part of CI.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mutants import MUTANTS  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPIED = ["CMakeLists.txt", "cmake", "engine", "query", "tests", "tools/build"]
SWITCH = """// The switch of seeded faults (tests/crash/mutants.py); only in copies made for them.
#pragma once
#include <cstdlib>
#include <string_view>
namespace braid {
inline bool Mutant(std::string_view name) {
  static const char* const on = std::getenv("BRAID_MUTANT");
  return on != nullptr && name == on;
}
}  // namespace braid
"""
# Quick ones first, with small counts; then with those of CI.
RUNS = [
    ("test_db", "CrashTest.*:StoreCopyTest.*:DBTest.*:GoldenTest.*", {}),
    ("test_crash", "TornTest.*:TornStoreTest.*:PowerLossTest.*", {"CUT_STEP": "160", "POWER_LOSS_STATES": "500"}),
    ("test_crash", "FailingCallsTest.*", {"FAILING_CALLS": "300"}),
    ("test_crash", "DamageTest.*", {"DAMAGES": "1000"}),
    ("test_db", "SimulationTest.*:RealDirTest.WhatWas*", {"SEEDS": "30"}),
    ("test_crash", "PowerLossTest.*:AnyFileTest.*:TornStoreTest.*", {}),
    ("test_db", "StoreFilesTest.*:DeleteTest.*:BackupTest.*:DurabilityTest.*", {}),
    ("test_crash", "FailpointTest.Killed*", {}),
    ("test_db", "SimulationTest.*", {}),
    ("test_crash", "DamageTest.*", {}),
]


def put_in(folder):
    with open(os.path.join(folder, "engine/base/mutant.h"), "w", encoding="utf-8") as file:
        file.write(SWITCH)
    by_file = {}
    for name, path, before, after in MUTANTS:
        by_file.setdefault(path, []).append((name, before, after))
    for path, mutants in by_file.items():
        full = os.path.join(folder, path)
        with open(full, encoding="utf-8") as file:
            text = file.read()
        for name, before, after in mutants:
            if text.count(before) != 1:
                sys.exit(f"{name}: its text stands {text.count(before)} times in {path}; mutants.py must follow the code")
            text = text.replace(before, after)
        first = text.index("#include")
        with open(full, "w", encoding="utf-8") as file:
            file.write(text[:first] + '#include "engine/base/mutant.h"\n' + text[first:])


def run(folder, name, program, tests, settings):
    environment = {**os.environ, "BRAID_MUTANT": name, "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
    environment.update({f"BRAID_TEST_{key}": value for key, value in settings.items()})
    command = [os.path.join(folder, "build/tests", program), f"--gtest_filter={tests}", "--gtest_fail_fast",
               "--gtest_brief=1"]
    try:
        result = subprocess.run(command, env=environment, capture_output=True, timeout=3600, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        return f"{program} {tests} hangs"
    if result.returncode == 0:
        return None
    failed = [line for line in result.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    return failed[0][13:].split(" (")[0].strip() if failed else f"{program} ends with {result.returncode}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default=os.path.join(ROOT, "build/mutants"))
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("names", nargs="*")
    settings = parser.parse_args()
    if not settings.no_build:
        shutil.rmtree(os.path.join(settings.folder, "engine"), ignore_errors=True)
        for item in COPIED:
            source, target = os.path.join(ROOT, item), os.path.join(settings.folder, item)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target)
        put_in(settings.folder)
        subprocess.run(["tools/build", "build", "-DCMAKE_BUILD_TYPE=Release", "-DBRAID_PROGRAM=OFF", "--", "test_crash",
                        "test_db"], cwd=settings.folder, check=True)
    wanted = [mutant for mutant in MUTANTS if not settings.names or mutant[0] in settings.names]
    names = [mutant[0] for mutant in wanted]
    # Without a fault all must pass, or being caught means nothing.
    if not settings.names:
        for program, tests, counts in RUNS:
            failed = run(settings.folder, "", program, tests, counts)
            if failed:
                sys.exit(f"without any fault: {failed} fails")
    missed = []
    for number, name in enumerate(names, 1):
        begin = time.monotonic()
        caught = next(filter(None, (run(settings.folder, name, *one) for one in RUNS)), None)
        seconds = time.monotonic() - begin
        print(f"{number}/{len(names)} {name}: {'caught by ' + caught if caught else 'MISSED'} ({seconds:.0f} s)", flush=True)
        if not caught:
            missed.append(name)
    print(f"{len(names)} seeded faults, {len(names) - len(missed)} caught, {len(missed)} missed {' '.join(missed)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
