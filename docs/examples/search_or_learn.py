"""Should I learn at all? Or is it cheaper to search with the true simulator, target by target?

python docs/examples/search_or_learn.py [FOLDER]
"""

import contextlib
import io
import os
import sys
import tempfile

import pandas

from harness.cli import main
from harness.reporting import render

CALLS = 200

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
os.makedirs(folder, exist_ok=True)
os.chdir(folder)

# Three methods learn from 2000 simulated pairs of a robotic arm. Then 20 targets may take 200 calls each to the true
# simulator: the proposals are simulated in turn (none), or a local search begins with the best of them (lm). The same
# searches, and two global ones (cma-es, de), begin with random designs; they have learned nothing.
command = ["run", "--tasks", "robotic_arm", "--methods", "kernel,na-lm,cfm", "--preset", "smoke", "--epochs", "60"]
command += ["--scenarios", f"metered[calls={CALLS},targets=20]", "--protocols", "metered"]
with open("log.txt", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
    assert main([*command, "--out", "results", "--quiet"]) == 0

# The table `metered` as a data frame: the median error after so many calls, the calls until the median target is
# reached (nmse 1e-4), and the number of targets from which the 2000 simulations have paid.
table = pandas.read_csv(io.StringIO(render("metered", "results", format="csv")))
shown = {"method": "begins with", "search": "search", "median_1": "1 call", "median_10": "10 calls"}
shown |= {"median_100": "100 calls", f"median_{CALLS}": f"{CALLS} calls", "needed": "calls needed", "pays": "pays from"}
whole = {shown[name]: "{:.0f}".format for name in ("needed", "pays")}
print("Median error (nmse) of 20 targets after so many calls, and what is needed for 1e-4:\n")
named = table[list(shown)].rename(columns=shown)
print(named.to_string(index=False, float_format="{:.1e}".format, formatters=whole, na_rep="-"))

# Searching costs the same for each target. Learning costs 2000 at first, and then less for each target.
unlearned = table.loc[table["method"] == "draws of the prior", "needed"].min()
best = table.loc[table["pays"].idxmin()]
print(f"\nWithout learning a target takes {unlearned:.0f} calls, with {best['method']} it takes {best['needed']:.0f}.")
for targets in (10, 100, 1000):
    search, learn = targets * unlearned, 2000 + targets * best["needed"]
    print(f"{targets:5} targets: {search:6.0f} calls to search, {learn:6.0f} to learn first")
