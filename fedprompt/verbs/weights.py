"""weights: a part of the weights that a round of pre-training starts from, or that are looked at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.verbs.forms import Allowed, Head, Parcel, Reply, Task
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Asks, Terms, Verb

__all__ = ["PART", "WIDTH", "Part", "SendWeights", "WeightsReply", "WeightsTask", "parts_of", "rows_of", "send_weights"]

WIDTH, ROWS = 4096, 512  # numbers a row, rows a part: 8 MB in float32
PART = WIDTH * ROWS
Part = Annotated[int, Field(ge=0, le=100_000)]


class WeightsTask(Task):
    """Part ``part`` of the weights whose bytes have the SHA-256 ``digest``: ``start``, [rows, 4096] float32.

    The last row of the last part is filled up with zeros.
    """

    verb: Literal["weights"] = "weights"
    digest: Head
    part: Part


class WeightsReply(Reply):
    """The part was kept."""

    verb: Literal["weights"] = "weights"
    part: Part


def parts_of(size: int) -> int:
    """Return how many parts an array of ``size`` numbers has."""
    return -(-size // PART)


def rows_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a part's numbers as rows of ``WIDTH``, filled up with zeros."""
    rows = -(-len(values) // WIDTH)
    if len(values) == rows * WIDTH:
        return values.reshape(rows, WIDTH)
    full = np.zeros(rows * WIDTH, np.float32)
    full[: len(values)] = values
    return full.reshape(rows, WIDTH)


def send_weights(hub: Asks, site: str, values: NDArray[np.float32], digest: str) -> Iterator[int]:
    """Send an array ([size] float32, which may be a memory map), part by part; yield each part's number once kept.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked.
    """
    for part in range(parts_of(len(values))):
        rows = rows_of(np.ascontiguousarray(values[part * PART : (part + 1) * PART]))
        hub.ask(site, WeightsTask, {"digest": digest, "part": part}, {"start": rows}, named=[digest, part])
        yield part


class SendWeights(Verb):
    """Weights come to a site; nothing but a number that the hub knows leaves."""

    name = "weights"
    task = WeightsTask
    reply = WeightsReply

    def task_arrays(self, task: WeightsTask) -> Allowed:
        """The part."""
        return {"start": np.float32}

    def check(self, terms: Terms, asked: Parcel[WeightsTask], given: Parcel[WeightsReply]) -> None:
        """Refuse an answer about another part."""
        if given.message.part != asked.message.part:
            raise ReplyUntrue(f"site '{terms.site}' answered for another part", code="not-what-was-asked")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell the part."""
        return f"that part {counted(message.get('part'))} of a model's weights has come"
