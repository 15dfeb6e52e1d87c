"""`python -m tasks.architecture.worker SEED`: simulates blocks of designs for `tasks.architecture.generate`.

Reads a block's number from each line of standard input and answers each with the block's bytes.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import numpy as np
import torch

from tasks.architecture.designs import block
from tasks.architecture.material import forward


def main(seed: int) -> None:
    """Answer until standard input ends, which it also does when the parent dies."""
    # The parent decides what an interrupt means; and nothing that a library prints may end up among the bytes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    torch.set_num_threads(1)
    with suppress(BrokenPipeError):
        for line in sys.stdin:
            x = block(seed, int(line))
            y = forward(torch.from_numpy(x)).numpy()
            os.write(answers, np.packbits(x, axis=1).tobytes() + y.tobytes())


if __name__ == "__main__":
    main(int(sys.argv[1]))
