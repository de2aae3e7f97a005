"""Whether freed memory stays: counted by the pages that the system hands out."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

COUNT = """
import resource
import numpy as np
from audit.cli.memory import keep_freed
if {keep}:
    keep_freed()
def batch():
    tensors = [np.ones(20 * 2**20, dtype=np.uint8) for _ in range(3)]
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(*, keep: bool) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", COUNT.format(keep=keep)], capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallopt"),
    reason="the C library is not glibc",
)
def test_a_batch_finds_the_pages_of_the_batch_before_it() -> None:
    assert pages(keep=True) < 0.1 * pages(keep=False)
