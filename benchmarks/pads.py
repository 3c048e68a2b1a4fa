"""How often the derivation pad of the web page and the judge of the course differ, on lines rewritten and edited at random; and how long it takes.

Run ``python benchmarks/pads.py --count 10000``; it needs node.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from derivations import derivations, edited, rewritten

from bnlib.chains.course import ground_of
from bnlib.checks import chain_of
from bnlib.language.reading import read
from bnlib.language.writing import plain

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs" / "site")]

from beside import differences, program  # noqa: E402


def lines(count: int, seed: int):
    """So many derivations of three lines: the course's, and one that is rewritten, or edited."""
    rng, stubs = random.Random(seed), derivations()
    grounds = {stub.id: ground_of(stub, np.random.default_rng(99)) for stub in stubs}
    while count:
        stub = rng.choice(stubs)
        own = chain_of(stub).lines
        line = rng.choice(own)
        tree = rewritten(read(line, grounds[stub.id].names), grounds[stub.id], rng, rng.randint(1, 5))
        if count % 2:
            changed = edited(tree, grounds[stub.id], rng)
            if changed is None:
                continue
            tree = changed[1]
        count -= 1
        yield stub, f"{own[0]}\n= {line}\n= {plain(tree)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if shutil.which("node") is None:
        print("no node here to run the pad's program with")
        return
    cases = list(lines(options.count, options.seed))
    text = f"const found = {program(cases)}; console.log(JSON.stringify([found, process.cpuUsage().user]));"
    said = subprocess.run(["node", "--input-type=module", "-"], input=text, capture_output=True, text=True, check=True)
    found, used = json.loads(said.stdout)
    began = time.process_time()
    differ = differences(cases, found)
    took = time.process_time() - began
    right = sum(not each["message"] for each in found)
    print(f"{len(cases)} derivations of three lines, {right} of them right; the judges differ in {len(differ)}")
    print(f"a derivation: {used / 1000 / len(cases):.1f} ms in node, {1000 * took / len(cases):.1f} ms in Python")
    print(*differ[:20], sep="\n")


if __name__ == "__main__":
    main()
