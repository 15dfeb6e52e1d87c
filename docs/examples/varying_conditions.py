"""My conditions vary: which design reaches a target at the temperature and the pressure that hold today?

python docs/examples/varying_conditions.py [FOLDER]
"""

import os
import sys
import tempfile

import numpy as np
import pandas

import harness

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
os.makedirs(folder, exist_ok=True)
os.chdir(folder)


# 500 batches of a reactor. We choose the minutes and the catalyst; temperature and pressure are measured.
def share(minutes, catalyst, temperature, pressure):
    speed = 0.02 * np.exp(0.03 * (temperature - 80)) * np.sqrt(pressure)
    return 1 - np.exp(-speed * minutes * catalyst)


random = np.random.default_rng(0)
columns = ["minutes", "catalyst", "temperature", "pressure"]
table = pandas.DataFrame(random.uniform([5, 0.5, 60, 1], [60, 2.0, 100, 3], (500, 4)), columns=columns)
table["yield"] = share(*table[columns].to_numpy().T) + random.normal(0, 0.01, 500)
table.to_csv("batches.csv", index=False)

# One method for all conditions. A target names them after y: a yield of 0.6 at 65 degrees and 1.2 bar.
task = "dataset[path=batches.csv,x=minutes+catalyst,y=yield,given=temperature:pressure]"
solver = harness.fit("na-lm", task, preset="smoke", epochs=600)
days = [(65, 1.2), (65, 2.8), (95, 1.2), (95, 2.8)]
designs = solver.propose([(0.6, *day) for day in days], n=20)

# As we know the formula, we see what each design gives on its day, and what it would give on the last one.
print("Wanted is a yield of 0.60. Means of 20 designs for each day:\n")
rows = []
for number, day in enumerate(days):
    found = designs[designs["target"] == number]
    minutes, catalyst = found["minutes"].to_numpy(), found["catalyst"].to_numpy()
    own, last = share(minutes, catalyst, *day), share(minutes, catalyst, *days[-1])
    rows.append([*day, minutes.mean(), catalyst.mean(), (minutes * catalyst).mean(), own.mean(), last.mean()])
names = ["temperature", "pressure", "minutes", "catalyst", "their product", "yield", "yield on the last day"]
print(pandas.DataFrame(rows, columns=names).to_string(index=False, float_format="{:.2f}".format))
print(f"\nThe forward model that was learned from half of the file has an nmse of {solver.task.floor['nmse']:.1e}.")
