"""`python worker.py MODULE:FUNCTION`: lets a Python function answer questions for `tasks.workers`.

Standard input and output carry frames: eight bytes with a length, then so many bytes. A question is an array as numpy
saves it; an answer is a byte, `y` or `e`, followed by an array or by the text of an exception.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from importlib import import_module
from operator import attrgetter
from typing import IO, Any

import numpy as np

LENGTH = 8


def main(name: str) -> None:
    """Answer until standard input ends, which it also does when the parent dies.

    Args:
        name: `module:function`, which is imported at the first question.
    """
    # The parent decides what an interrupt means; and nothing that the function prints may end up among the frames.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function: Any = None
    while head := sys.stdin.buffer.read(LENGTH):
        question = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        try:
            function = function or load(name)
            answer = b"y" + packed(real(function(unpacked(question))))
        except Refused as refusal:
            answer = b"e" + str(refusal).encode()
        except BaseException:  # also what a function does to end its program
            answer = b"e" + traceback.format_exc().encode()
        send(answers, answer)


def load(name: str) -> Any:
    """The function of this name.

    Args:
        name: `module:function`.
    """
    module, _, path = name.partition(":")
    return attrgetter(path)(import_module(module))


class Refused(Exception):
    """What a function returned cannot be used; the text says why."""


def real(values: Any) -> np.ndarray:
    """What a function returned, as float64.

    Args:
        values: an array, or what makes one.

    Raises:
        Refused: complex numbers, whose imaginary parts would be lost.
    """
    found = np.asarray(values)
    if np.iscomplexobj(found) or any(isinstance(value, complex) for value in found.flat if found.dtype == object):
        raise Refused(
            "It returned complex numbers; return real ones, such as abs(y), or real and imaginary part as two columns."
        )
    return found.astype(np.float64)


def packed(array: np.ndarray) -> bytes:
    """An array as bytes.

    Args:
        array: of any shape, without Python objects.
    """
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unpacked(content: bytes) -> np.ndarray:
    """The array in these bytes.

    Args:
        content: as `packed` gives them.
    """
    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def send(stream: IO[bytes], content: bytes) -> None:
    """Write a frame.

    Args:
        stream: to the other process.
        content: of the frame.
    """
    stream.write(len(content).to_bytes(LENGTH, "big") + content)
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1])
