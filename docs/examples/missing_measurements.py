"""My data have gaps: which methods learn from them, and which answer a target of which a part is not known?

python docs/examples/missing_measurements.py [FOLDER]
"""

import contextlib
import os
import sys
import tempfile

import numpy as np
import pandas

import harness
from harness.cli import main

BANDS = {"blue": 2.2, "green": 1.8, "red": 1.4, "infrared": 1.0}
METHODS = ["na-lm", "joint", "cfm"]
OPEN, FILLED = "gaps[fill=native,share=0.5]", "gaps[share=0.5]"

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
os.makedirs(folder, exist_ok=True)
os.chdir(folder)


# 600 films of three layers, and how much light they reflect in four bands. A quarter of the measurements is missing.
def reflected(layers):
    a, b, c = layers.T
    return np.stack([np.sin(w * a) * np.cos(w * b) + 0.5 * w * c**2 for w in BANDS.values()], 1)


random = np.random.default_rng(0)
layers = random.uniform(0.2, 1.0, (600, 3))
measured = reflected(layers) + random.normal(0, 0.01, (600, 4))
measured[random.uniform(size=measured.shape) < 0.25] = np.nan
table = pandas.DataFrame(np.hstack([layers, measured]), columns=["a", "b", "c", *BANDS])
table.to_csv("films.csv", index=False)
print(f"{len(table.dropna())} of {len(table)} rows are complete.")

# Three methods are asked for complete targets, and for targets of which half is hidden. What is hidden stays open, or
# is filled with the measurements of the film that is nearest in the rest.
command = ["run", "--tasks", "dataset[path=films.csv,x=a:c,y=blue:infrared,missing=keep]"]
command += ["--methods", ",".join(METHODS), "--scenarios", f"base,{OPEN},{FILLED}", "--protocols", "multi-target"]
command += ["--preset", "smoke", "--epochs", "600", "--out", "results", "--quiet"]
with open("log.txt", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
    assert main(command) == 0

numbers = harness.frame("results").query("metric == 'nmse' and statistic == 'mean'")
errors = numbers.pivot_table(values="value", index="method", columns="scenario").reindex(METHODS)
errors = errors[["base", OPEN, FILLED]].set_axis(["complete", "half open", "half filled"], axis=1)
solvers = {method: harness.load(f"results/dataset/{method}") for method in METHODS}
errors.insert(0, "rows", [len(solver.given.train.x) + len(solver.given.valid.x) for solver in solvers.values()])
print("\nRows that a method learns from, and its error (nmse) for targets of each kind:")
print(errors.rename_axis(None).to_string(float_format="{:.2g}".format, na_rep="cannot"))

# A target of which green and infrared are not known: NaN.
target = reflected(np.array([[0.6, 0.5, 0.7]]))
target[0, [1, 3]] = np.nan
designs = solvers["na-lm"].propose(target, n=3)
film = pandas.DataFrame(np.vstack([target, reflected(designs[["a", "b", "c"]].to_numpy())]), columns=list(BANDS))
film = film.join(designs[["a", "b", "c"]].set_axis(range(1, 4))).set_axis(["wanted", "film 1", "film 2", "film 3"])
print("\nThree films for a target of which two bands are not known:")
print(film.to_string(float_format="{:.2f}".format, na_rep="open"))
