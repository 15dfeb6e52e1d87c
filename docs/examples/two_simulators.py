"""I have a cheap and an expensive simulator: does the cheap one pay, and how is it used best?

python docs/examples/two_simulators.py
"""

import warnings

import numpy as np
import torch

import harness
from harness.contracts import Level, Task

BUDGET = 60
"""What may be spent, in runs of the expensive simulator."""
USES = {
    "top": "expensive runs alone",
    "low": "cheap runs alone",
    "both": "half of the budget on each, all pairs alike",
    "tuned": "the same, the cheap pairs first and then the others",
    "corrected": "the same, the cheap pairs corrected by a model of the difference",
}


class Spring(Task):
    """Where a weight on a spring is after two and after four seconds: stiffness, damping and start are chosen."""

    x_dim, y_dim, fixed_target = 3, 2, (0.0, 0.0)
    x_labels, y_labels = ("stiffness", "damping", "start"), ("early", "late")
    bounds = torch.tensor([[1.0, 0.05, 0.5], [6.0, 0.5, 1.5]], dtype=torch.float64)

    def sample_prior(self, n, generator):
        unit = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        return self.bounds[0] + (self.bounds[1] - self.bounds[0]) * unit

    def simulate(self, x):
        return self.moved(x, steps=800)

    @property
    def levels(self):
        # 40 steps in time in place of 800 are a twentieth of the work.
        return {"coarse": Level(lambda x: self.moved(x, steps=40), 0.05, "a twentieth of the steps")}

    def moved(self, x, steps):
        stiffness, damping, place = x.unbind(-1)
        speed, seen = torch.zeros_like(place), []
        for step in range(1, steps + 1):
            speed = speed - 4 / steps * (stiffness * place + place**3 + damping * speed)
            place = place + 4 / steps * speed
            if step in (steps // 2, steps):
                seen.append(place)
        return torch.stack(seen, 1)


spring = Spring()
wanted = spring.draw(100, torch.Generator().manual_seed(1))
error = (spring.levels["coarse"].simulate(wanted.x) - wanted.y).abs().mean()
print(f"The cheap simulator is off by {error:.3f}, where y varies by {wanted.y.std(0).mean():.3f}.\n")

warnings.simplefilter("ignore", harness.OutsideRange)  # a few targets lie beyond what so few pairs reach
print(f"For the price of {BUDGET} expensive runs: pairs, and how far one design for each of 100 targets misses it")
for use, meaning in USES.items():
    scenario, misses = f"fidelity[budget={BUDGET},share=0.5,use={use}]", []
    for seed in range(3):
        solver = harness.fit("na-lm", spring, scenario=scenario, preset="smoke", epochs=150, seed=seed)
        designs = solver.propose(wanted.y.numpy(), n=1)
        reached = designs[["early reached", "late reached"]].to_numpy()
        misses.append(np.abs(reached - wanted.y.numpy()).mean())
    parts = [solver.given.train, solver.given.valid, *(solver.given.before or ())]
    print(f"{use:10} {sum(len(part.x) for part in parts):5} pairs, miss {np.mean(misses):.4f}   {meaning}")
