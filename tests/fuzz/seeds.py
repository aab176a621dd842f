#!/usr/bin/env python3
"""Writes the seeds of query_seeds.txt as libFuzzer wants them, a file each: seeds.py FOLDER"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.makedirs(sys.argv[1], exist_ok=True)
with open(os.path.join(HERE, "query_seeds.txt"), encoding="utf-8") as seeds:
    for number, seed in enumerate(seeds.read().split("\n\n")):
        with open(os.path.join(sys.argv[1], f"query-{number:03}"), "w", encoding="utf-8") as out:
            out.write(seed.strip("\n"))
