"""What every task and reply has, and the words that their fields are made of.

A reply holds numbers, bounded arrays, ids that the hub already knows or hashes, and enum words; no free text. Arrays
travel beside the reply by name, so that JSON holds only metadata. What no verb describes cannot be sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.boundary.checked import Bounds
from fedprompt.study.schema import Closed

__all__ = [
    "LISTS",
    "MAX_JSON_BYTES",
    "SCORES",
    "SHORT",
    "TEXTS",
    "Allowed",
    "Arrays",
    "Head",
    "HiddenId",
    "Parcel",
    "PromptId",
    "Reply",
    "Seed",
    "Task",
    "TaskId",
]

MAX_JSON_BYTES = 16 * 1024 * 1024
# A reply of scores has a confusion matrix for each, a task of pairs two ids for each; most of the rest is short.
SHORT = Bounds(64 * 1024, values=1_000, nested=8, members=300, depth=8)
SCORES = Bounds(MAX_JSON_BYTES, values=1_500_000, nested=150_000, members=100, depth=8)
LISTS = Bounds(4 * 1024 * 1024, values=40_000, nested=11_000, members=100, depth=8)
TEXTS = Bounds(MAX_JSON_BYTES, values=2_000, nested=100, members=300, depth=8)

StudyDigest = Annotated[str, Field(pattern=r"^s1:[0-9a-f]{32}$")]
PromptId = Annotated[str, Field(pattern=r"^[ph]1:[0-9a-f]{32}$")]
TaskId = Annotated[str, Field(pattern=r"^t1:[0-9a-f]{32}$")]
Head = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
HiddenId = Annotated[str, Field(pattern=r"^h1:[0-9a-f]{32}$")]
Arrays = Mapping[str, NDArray[Any]]
Allowed = Mapping[str, type[np.generic]]
"""The arrays that a message must have, by name, and their types."""


class Task(Closed):
    """``known``: the last head of the site's ledger that the hub has seen, so that the site shows how it grew since."""

    verb: str
    task: TaskId
    study: StudyDigest
    known: Head | None = None


class Reply(Closed):
    """``task`` is what is answered."""

    verb: str
    task: TaskId


Message = TypeVar("Message", bound=Task | Reply, covariant=True)


@dataclass(frozen=True, eq=False)
class Parcel(Generic[Message]):
    """A message and its arrays."""

    message: Message
    arrays: Arrays
