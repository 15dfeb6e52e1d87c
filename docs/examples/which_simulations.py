"""I can afford 200 simulations: which ones?

python docs/examples/which_simulations.py
"""

import warnings

import numpy as np
import torch

import harness
from harness.scenarios.acquiring import Known, chosen
from harness.scenarios.active import Options, acquired
from tasks.robotic_arm import RoboticArm
from tasks.sinewave import Sinewave

CALLS, BATCH = 200, 20
warnings.simplefilter("ignore", harness.OutsideRange)  # a few targets lie beyond what 200 pairs reach

# A study on two tasks whose simulators cost nothing. The same method learns from 200 designs, which were chosen in
# three ways; three studies each begin with other random designs.
print(f"How far a design misses its target after {CALLS} simulations, mean of 100 targets, three studies")
for task in (Sinewave(), RoboticArm()):
    targets = task.draw(100, torch.Generator().manual_seed(1)).y.numpy()
    for acquire in ("random", "maximin", "inverse-epig"):
        misses = []
        for seed in range(3):
            scenario = f"active[calls={CALLS},batch={BATCH},acquire={acquire},seed={seed}]"
            solver = harness.fit("kernel", task, scenario=scenario, preset="smoke")
            designs = solver.propose(targets, n=1)
            reached = designs[[f"{name} reached" for name in solver.y_names]].to_numpy()
            misses.append(np.linalg.norm(reached - targets, axis=1).mean())
        print(f"{type(task).__name__:11} {acquire:13}", *(f"{miss:.5f}" for miss in misses))

# The designs of a study, in the order in which they were simulated.
x, y = acquired(RoboticArm(), Options(calls=CALLS, batch=BATCH, acquire="maximin"))
print(f"\nmaximin simulated {len(x)} arms; the last one is {x[-1].round(2)}, its tip at {y[-1].round(2)}")

# A simulator of your own, which must not be called more often: choose the designs of each batch yourself.
calls = 0


def simulate(x):
    global calls
    calls += len(x)
    return np.stack([np.sin(3 * x[:, 0]) + x[:, 1], x[:, 0] * x[:, 2]], 1)


random = np.random.default_rng(0)
wanted = random.uniform([0.5, 0.1], [1.5, 0.6], (50, 2))  # y such as you will ask for
x = random.uniform(size=(BATCH, 3))
y = simulate(x)
unit = x.std(0)  # columns of x count alike in deviations
while calls < CALLS:
    pool, others = random.uniform(size=(2000, 3)), random.uniform(size=(100, 3))
    rows = chosen(Known(x / unit, y, wanted), pool / unit, others / unit, BATCH, "inverse-epig", "prior")
    x, y = np.concatenate([x, pool[rows]]), np.concatenate([y, simulate(pool[rows])])
print(f"\nOur own simulator was called {calls} times.")
solver = harness.fit("kernel", harness.pairs(x, y), preset="smoke")
design = solver.propose([1.0, 0.3], n=1)[["x1", "x2", "x3"]].to_numpy()
given = simulate(design)
print(f"For y = [1.0 0.3] it proposes {design[0].round(3)}. One more call says: this gives {given[0].round(3)}.")
