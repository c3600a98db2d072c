"""Low-rank factors beside a model's linear layers (Hu et al. 2021, arXiv 2106.09685, eq. 3), without touching weights.

``x W`` gains ``scale (x A') B'``. The fused layers add it to their joined products; other models get it by hooks on the
modules. Factors are float32, whatever the model computes in.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fedprompt.errors import ModelError, did_you_mean
from fedprompt.prompts.adapter import A, Adapter, B

__all__ = ["Factors", "factors_of", "lora_shapes", "paired"]


@dataclass(frozen=True)
class Factors:
    """``pairs``: module -> A [rank, in] and B [out, rank], float32."""

    pairs: Mapping[str, tuple[Tensor, Tensor]]
    scale: float

    def beside(self, module: str, x: Tensor) -> Tensor | None:
        """Return what a module's product of ``x`` [rows, in] gains, [rows, out]; None of a module without factors."""
        pair = self.pairs.get(module)
        if pair is None:
            return None
        a, b = pair
        found: Tensor = ((x.to(a.dtype) @ a.T) @ b.T).mul(self.scale).to(x.dtype)
        return found

    @contextmanager
    def hooked(self, lm: Any) -> Iterator[None]:
        """Within this block the modules of ``lm`` themselves add it; whoever calls lets no other thread use them."""
        modules = dict(lm.named_modules())
        handles = [
            modules[name].register_forward_hook(lambda module, given, out, name=name: out + self.beside(name, given[0]))
            for name in self.pairs
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def factors_of(adapter: Adapter, device: torch.device) -> Factors:
    """Return an adapter's factors."""
    tensors = {name: torch.tensor(array, device=device) for name, array in adapter.arrays.items()}
    return paired(tensors, adapter.alpha / adapter.rank)


def paired(tensors: Mapping[str, Tensor], scale: float) -> Factors:
    """Return factors of tensors by the names that an adapter's arrays have."""
    modules = [name.removesuffix(A) for name in tensors if name.endswith(A)]
    return Factors({module: (tensors[module + A], tensors[module + B]) for module in modules}, scale)


def lora_shapes(lm: Any, targets: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Return module -> (out, in) of every linear layer of these last names, by name.

    Raises:
        ModelError: a target that the model has no linear layer of.
    """
    head = lm.get_output_embeddings()
    linear = {n: m for n, m in lm.named_modules() if isinstance(m, torch.nn.Linear) and m is not head}
    last = {name.rpartition(".")[2] for name in linear}
    for target in targets:
        if target not in last:
            raise ModelError(
                f"the model has no linear layer called '{target}'{did_you_mean(target, last)}; it has "
                f"{', '.join(sorted(last)) or 'none'}",
                code="no-such-target",
            )
    found = {n: m.weight.shape for n, m in linear.items() if n.rpartition(".")[2] in targets}
    return {name: (int(found[name][0]), int(found[name][1])) for name in sorted(found)}
