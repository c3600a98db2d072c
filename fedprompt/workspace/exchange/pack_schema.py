"""What a pack says: whose prompts, how much each counts, how to adapt them with so many cases, and what that is worth.

A pack is what a federation gives back: a signed release, or a public one that comes with fedprompt. Invariant: every
number is bounded, weights and shares are of one, and each list that belongs to members or labels is as long as they
are. A prompt of a group stands for at least ``LEAST_IN_A_GROUP`` donors, so that it is no single donor's.
"""

import math
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fedprompt.adapting.calibration import Calibration
from fedprompt.adapting.settings import Settings
from fedprompt.boundary.closed import Closed
from fedprompt.errors import PromptError
from fedprompt.prompts.adapted import MOST_LABELS, MOST_MEMBERS
from fedprompt.prompts.head import Head, HeadBody
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.study.answer import FieldName
from fedprompt.study.sharing import absent
from fedprompt.verbs.head import ENCODER_DIGEST
from fedprompt.workspace.results.worth import CurvePoint

__all__ = ["LEAST_IN_A_GROUP", "Member", "MemberKind", "Pack", "PackHead", "PackId"]

LEAST_IN_A_GROUP = 3
NEARLY = 1e-6
MOST_SITES = 10_000
MemberKind = Literal["federated", "group", "donor", "template"]
PackId = Annotated[str, Field(pattern=r"^g1:[0-9a-f]{32}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]
Variance = Annotated[float, Field(ge=0, le=1e6)]


class Member(Closed):
    """One prompt: ``weight`` is how much it counted at the donors, on average over them.

    ``mean`` is its gain over the study's first template, paired by case and pooled over ``sites``; ``between`` is how
    that varies from site to site, ``within`` from case to case (variances, as parts of 1). None where it is not known.
    """

    prompt: Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]
    kind: MemberKind
    weight: Share
    mean: Annotated[float, Field(ge=-1e3, le=1e3)] | None = None
    between: Variance | None = None
    within: Variance | None = None
    sites: Annotated[int, Field(ge=0, le=MOST_SITES)] = 0

    @model_validator(mode="after")
    def _nobodys(self) -> "Member":
        if self.kind == "group" and self.sites < LEAST_IN_A_GROUP:
            raise ValueError(f"a group's prompt needs at least {LEAST_IN_A_GROUP} donors")
        return self


class PackHead(Closed):
    """The mean of the heads of ``sites`` donors, and how much it counts beside the members.

    A weighted pool of heads answers as their mean does, so that single donors' heads would add nothing.
    """

    head: HeadBody
    weight: Share
    sites: Annotated[int, Field(ge=LEAST_IN_A_GROUP, le=MOST_SITES)]

    @model_validator(mode="after")
    def _whole(self) -> "PackHead":
        try:
            self.head.head()
        except PromptError as error:
            raise ValueError(str(error)) from error
        if self.head.encoder != ENCODER_DIGEST:
            raise ValueError("the head was made with another sentence encoder than fedprompt's")
        return self

    @cached_property
    def made(self) -> Head:
        """The head itself."""
        return self.head.head()


class Pack(Closed):
    """``pack.json``. ``study`` and ``digest`` name the study, ``model`` is the digest of the model that answers.

    Its members' weights and the ``head``'s, where it has one, add up to one. ``calibration``: the donors', for their
    members' answers at these weights. ``shares``: how frequent each label is at the donors, on average over them.
    ``donors``: how many took part. ``source``: where public text came from, empty in a federation's.
    """

    fedprompt: Literal["pack 1"] = "pack 1"
    study: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^\w[\w +-]*$")]
    digest: Annotated[str, Field(pattern=r"^s1:[0-9a-f]{32}$")]
    model: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    model_name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=64)]
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=MOST_LABELS)]
    normalise: Literal["none", "tokens", "characters"] = "none"
    prior: Literal["none", "pmi", "contextual"] = "none"
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    settings: Settings
    calibration: Calibration | None = None
    shares: Annotated[tuple[Share, ...], Field(max_length=MOST_LABELS)] | None = None
    curve: Annotated[tuple[CurvePoint, ...], Field(max_length=50)] = ()
    donors: Annotated[int, Field(ge=0, le=MOST_SITES)] = 0
    source: Annotated[str, StringConstraints(max_length=500)] = ""
    head: Annotated[PackHead | None, Field(exclude_if=absent)] = None

    @cached_property
    def id(self) -> str:
        """``g1:`` and a digest of its content; members are named by their own content ids."""
        return content_id("g1", canonical_json(self.model_dump(mode="json")))

    @property
    def weights(self) -> tuple[float, ...]:
        """The members' weights, in their order, and then the head's where there is one."""
        return (*(member.weight for member in self.members), *(() if self.head is None else (self.head.weight,)))

    @property
    def shares_of_members(self) -> tuple[float, ...]:
        """The members' weights among each other."""
        whole = math.fsum(member.weight for member in self.members)
        return tuple(member.weight / whole for member in self.members)

    @model_validator(mode="after")
    def _whole(self) -> "Pack":
        for what, names in (("field", self.fields), ("label", self.labels), ("member", self._ids)):
            if len(set(names)) != len(names):
                raise ValueError(f"a {what} is listed twice; list each once")
        if abs(math.fsum(self.weights) - 1) > NEARLY:
            raise ValueError("the members' weights do not add up to 1")
        if self.head is not None:
            self._check_head(self.head)
        if self.shares is not None and len(self.shares) != len(self.labels):
            raise ValueError(f"{len(self.shares)} shares are given for {len(self.labels)} labels")
        if self.shares is not None and abs(math.fsum(self.shares) - 1) > NEARLY:
            raise ValueError("the labels' shares do not add up to 1")
        if self.calibration is not None and len(self.calibration.bias) != len(self.labels):
            raise ValueError(f"{len(self.calibration.bias)} biases are given for {len(self.labels)} labels")
        numbers = [point.n for point in self.curve]
        if numbers != sorted(set(numbers)):
            raise ValueError("the curve's numbers of cases must rise, each once")
        if any(member.sites > self.donors for member in self.members if self.donors):
            raise ValueError("a member has more sites than there are donors")
        return self

    def _check_head(self, head: PackHead) -> None:
        if head.weight >= 1:
            raise ValueError("the head leaves no weight for a prompt")
        if head.head.labels != self.labels or head.head.fields != self.fields:
            raise ValueError("the head reads other fields, or has other labels, than the pack")
        if self.donors and head.sites > self.donors:
            raise ValueError("the head has more sites than there are donors")

    @property
    def _ids(self) -> tuple[str, ...]:
        return tuple(member.prompt for member in self.members)
