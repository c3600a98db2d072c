"""A low-rank adapter (LoRA: Hu et al. 2021, arXiv 2106.09685): two small matrices beside some linear layers of a model.

Arrays bear PEFT's names without its prefix: ``MODULE.lora_A`` [rank, in] and ``MODULE.lora_B`` [out, rank]. A layer's
product gains ``alpha / rank`` times B A. Its content is a safetensors file, named by the file's SHA-256.

Invariant: every array is contiguous, little-endian float32, finite and read-only, every A has its B, and all have one
rank.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelMismatch, PromptError

__all__ = ["MAX_NUMBERS", "A", "Adapter", "B"]

A, B = ".lora_A", ".lora_B"
MAX_NUMBERS = 1 << 26  # 256 MiB of float32
MAX_RANK = 256
MAX_ALPHA = 1e6


@dataclass(frozen=True, eq=False)
class Adapter:
    """Implements ``Tensors``: ``arrays`` by name, for the base model of digest ``model``.

    ``targets``: the last names of the modules that it stands beside. ``frozen``: the arrays that rounds do not move end
    in this (``.lora_A``), nothing if they move all.

    Raises:
        PromptError: no arrays, an A without its B, another shape or rank, too many numbers, or one that is not finite.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    model: str
    alpha: float
    targets: tuple[str, ...]
    frozen: str = ""
    rank: int = field(init=False)

    def __post_init__(self) -> None:
        held: dict[str, NDArray[np.float32]] = {}
        for name in sorted(self.arrays):
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
                array = np.array(self.arrays[name], dtype="<f4", order="C")
            array.setflags(write=False)
            held[name] = array
        object.__setattr__(self, "arrays", held)
        object.__setattr__(self, "rank", _rank(held))
        if not 0 < self.alpha <= MAX_ALPHA or self.frozen not in ("", A):
            raise PromptError(f"an adapter's alpha is a positive number, not {self.alpha}", code="not-well-formed")
        if {module_of(name).rpartition(".")[2] for name in held} != set(self.targets):
            raise PromptError("an adapter's arrays are not those of the targets that it names", code="not-well-formed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adapter) and self.canonical() == other.canonical()

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def kind(self) -> str:
        """``adapter``."""
        return "adapter"

    @property
    def size(self) -> int:
        """How many numbers it has in all."""
        return sum(array.size for array in self.arrays.values())

    @property
    def moved(self) -> dict[str, tuple[int, ...]]:
        """The arrays that rounds move and their shapes, in the order in which ``values`` has them."""
        return {n: a.shape for n, a in self.arrays.items() if not self.frozen or not n.endswith(self.frozen)}

    @property
    def values(self) -> NDArray[np.float32]:
        """What a round moves: [size] float32, the moved arrays one after the other by name."""
        return np.concatenate([self.arrays[name].reshape(-1) for name in self.moved])

    def with_values(self, values: NDArray[np.float32]) -> "Adapter":
        """Return an adapter with other moved arrays.

        Raises:
            PromptError: another size, or a value that is not finite.
        """
        arrays, at = dict(self.arrays), 0
        for name, shape in self.moved.items():
            size = int(np.prod(shape))
            if values.ndim != 1 or at + size > values.size:
                break
            arrays[name] = values[at : at + size].reshape(shape)
            at += size
        if values.ndim != 1 or at != values.size or at != self.values.size:
            raise PromptError(
                f"an adapter of {self.values.size:,} moved numbers was given {values.shape}", code="wrong-shape"
            )
        return Adapter(arrays, self.model, self.alpha, self.targets, self.frozen)

    @cached_property
    def file(self) -> bytes:
        """Its arrays as a safetensors file; the same arrays give the same bytes."""
        from safetensors.numpy import save

        return bytes(save(dict(self.arrays), metadata={"format": "pt"}))

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and the digest of its file."""
        return f"sha256:{hashlib.sha256(self.file).hexdigest()}"

    def canonical(self) -> dict[str, Any]:
        """Return the JSON part of its identity, which names its content."""
        return {
            "model": self.model,
            "rank": self.rank,
            "alpha": self.alpha,
            "targets": list(self.targets),
            "file": self.digest,
            **({"frozen": self.frozen} if self.frozen else {}),
        }

    def content(self) -> bytes:
        """Return nothing: the JSON names the digest of the arrays."""
        return b""

    @classmethod
    def from_canonical(cls, body: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> "Adapter":
        """Rebuild an adapter from its JSON and its arrays.

        Raises:
            PromptError: they do not fit together.
        """
        if not {"model", "rank", "alpha", "targets", "file"} <= set(body):
            raise PromptError("an adapter is described by model, rank, alpha, targets and file", code="not-well-formed")
        alpha, targets = body["alpha"], body["targets"]
        if type(alpha) not in (int, float) or abs(alpha) > MAX_ALPHA or not isinstance(targets, list | tuple):
            raise PromptError("an adapter has a number as its alpha, and a list of targets", code="not-well-formed")
        made = cls(arrays, str(body["model"]), float(alpha), tuple(map(str, targets)), str(body.get("frozen", "")))
        if made.canonical() != dict(body):
            raise PromptError("an adapter's arrays are not those that its description names", code="not-well-formed")
        return made

    def check_model(self, digest: str, name: str, width: int) -> None:
        """Refuse a model that this adapter was not tuned for.

        Raises:
            ModelMismatch: the digests differ.
        """
        if self.model != digest:
            raise ModelMismatch(
                f"the adapter was tuned for the model {self.model[:19]} and not for {name} ({digest[:19]}); load the "
                "model it was tuned for, or tune it anew on this one",
                code="another-revision",
            )


def module_of(name: str) -> str:
    """Return the module that an array stands beside."""
    return name.removesuffix(A).removesuffix(B)


def _rank(arrays: Mapping[str, NDArray[np.float32]]) -> int:
    """Return the rank of all factors.

    Raises:
        PromptError: they are no pairs of one rank.
    """
    modules = {module_of(name) for name in arrays}
    if not arrays or set(arrays) != {module + side for module in modules for side in (A, B)}:
        raise PromptError("an adapter has a lora_A and a lora_B for each of its layers", code="not-well-formed")
    if any(array.ndim != 2 for array in arrays.values()):
        raise PromptError("an adapter's arrays are matrices", code="wrong-shape")
    ranks = {arrays[m + A].shape[0] for m in modules} | {arrays[m + B].shape[1] for m in modules}
    if len(ranks) != 1 or not 1 <= next(iter(ranks)) <= MAX_RANK:
        raise PromptError(f"an adapter has one rank from 1 to {MAX_RANK}, not {sorted(ranks)}", code="wrong-shape")
    if sum(array.size for array in arrays.values()) > MAX_NUMBERS:
        raise PromptError(f"an adapter has at most {MAX_NUMBERS:,} numbers", code="too-large")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise PromptError("an adapter holds a value that is not a finite number", code="not-finite")
    return int(next(iter(ranks)))
