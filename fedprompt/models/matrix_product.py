"""What a matrix product reaches on this machine: the bound of scoring and tuning, which are little else."""

import time
from functools import cache

__all__ = ["matrix_product"]

PRODUCTS = {"cpu": (512, 576, 1536), "cuda": (8192, 4096, 4096)}  # rows, width and outputs of the product that is timed


def matrix_product(dtype: str, device: str = "cpu") -> float:
    """Return how many GFLOP a second a layer's matrix product reaches, the best of ten, remembered by the process.

    Its shape is a layer's of the default model on a processor, and one that fills a GPU there.
    """
    return _timed_product(dtype, device)


@cache
def _timed_product(dtype: str, device: str) -> float:
    import torch

    kind = getattr(torch, dtype)
    count, width, out = PRODUCTS[device]
    rows, weight = (torch.ones(size, width, dtype=kind, device=device) for size in (count, out))
    times = []
    for _ in range(12):
        began = time.perf_counter()
        torch.nn.functional.linear(rows, weight)
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return 2 * count * width * out / min(times[2:]) / 1e9
