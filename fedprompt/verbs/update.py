"""update: a part of the change that a round of pre-training made of the weights, clipped and quantised."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ReplyUntrue
from fedprompt.privacy.quantise import ARRAYS, restore
from fedprompt.study.schema import Precision
from fedprompt.verbs.forms import Allowed, Parcel, Reply, Task
from fedprompt.verbs.pretrain import Round
from fedprompt.verbs.sentences import counted
from fedprompt.verbs.verb import Asks, Terms, Verb
from fedprompt.verbs.weights import PART, WIDTH, Part, parts_of

__all__ = ["GiveUpdate", "UpdateReply", "UpdateTask", "take_update"]


class UpdateTask(Task):
    """Give part ``part`` of the change that round ``round`` made; ``seed`` tells runs apart."""

    verb: Literal["update"] = "update"
    round: Round
    part: Part
    seed: int


class UpdateReply(Reply):
    """A part: ``delta`` ([rows, 4096] float32 or float16), or ``codes`` (int8) and ``scales`` ([rows, 1] float32)."""

    verb: Literal["update"] = "update"
    round: Round
    part: Part
    precision: Precision = "float32"


def take_update(
    hub: Asks, site: str, size: int, *, round: int, seed: int, precision: Precision
) -> Iterator[NDArray[np.float32]]:
    """Yield the parts of a site's change in order, each [numbers] float32; together they have ``size`` numbers.

    Raises:
        SiteRefused: the site refused; says why.
        ReplyUntrue: a part has another shape or precision.
        FederationError: it could not be asked.
    """
    for part in range(parts_of(size)):
        fields = {"round": round, "part": part, "seed": seed}
        parcel = hub.ask(site, UpdateTask, fields, named=[round, part, seed])
        reply = parcel.message
        assert isinstance(reply, UpdateReply)
        wanted = min(PART, size - part * PART)
        values = restore(parcel.arrays)
        if reply.precision != precision or values.shape != (-(-wanted // WIDTH), WIDTH):
            raise ReplyUntrue(f"site '{site}' sent an update of another form than asked for", code="wrong-shape")
        yield values.reshape(-1)[:wanted]


class GiveUpdate(Verb):
    """A part of an update over at least ``min_cases`` documents."""

    name = "update"
    task = UpdateTask
    reply = UpdateReply

    def reply_arrays(self, reply: UpdateReply) -> Allowed:
        """Return the part's arrays."""
        return ARRAYS.get(reply.precision, {})

    def check(self, terms: Terms, asked: Parcel[UpdateTask], given: Parcel[UpdateReply]) -> None:
        """Refuse another part."""
        want, got = asked.message, given.message
        if (want.round, want.part) != (got.round, got.part):
            raise ReplyUntrue(f"site '{terms.site}' answered for another part", code="not-what-was-asked")

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell the round and the part."""
        numbers = int(np.prod(next(iter(arrays.values()), [0])))
        return (
            f"part {counted(message.get('part'))} of the change of a model's weights in round "
            f"{counted(message.get('round'))}, {numbers:,} numbers"
        )
