"""What a federation found, as its command, its pages and the bank have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fedprompt.federation.clustering import Cut
from fedprompt.federation.gathering import Missing
from fedprompt.models.protocols import RunSettings
from fedprompt.workspace.as_json import ABSENT, INLINE
from fedprompt.workspace.bills.paid import ModelPaid
from fedprompt.workspace.results.shown import ShownWork
from fedprompt.workspace.results.worth import WorthResult
from fedprompt.workspace.rounds.result_table import Difference, ResultRow

__all__ = [
    "FederatedResult",
    "GroupFound",
    "GroupsFound",
    "NominatedIds",
    "RoundFound",
    "RoundValues",
    "SiteKept",
    "TemplateValues",
]


@dataclass(frozen=True)
class TemplateValues:
    """A candidate template and its mean on each site's validation cases."""

    prompt: str
    name: str
    by_site: Mapping[str, float]


@dataclass(frozen=True)
class RoundValues:
    """What a round reached on each site's validation cases, their mean, and the ``bytes`` that came.

    A round that was not scored reached nothing that is known: ``by_site`` is empty and ``mean`` None.
    """

    round: int
    by_site: Mapping[str, float]
    mean: float | None
    bytes: int


@dataclass(frozen=True)
class RoundFound(RoundValues):
    """The same with the round's prompt, the bytes ``received`` and ``sent`` by site, and who was ``missing``."""

    prompt: str
    received: Mapping[str, int]
    sent: Mapping[str, int]
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class NominatedIds:
    """The ids of the prompts that were looked at on test; ``alone`` by site."""

    manual: str
    federated: str | None = field(default=None, metadata=ABSENT)
    centralised: str | None = field(default=None, metadata=ABSENT)
    alone: Mapping[str, str] | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class GroupFound:
    """A group of sites, the prompt that it keeps, and the round that made it."""

    group: int
    sites: tuple[str, ...]
    prompt: str
    round: int


@dataclass(frozen=True)
class GroupsFound:
    """The groups that were made ``by`` updates or templates ``from_`` a common prompt, and every cut that was weighed.

    ``missing``: site -> why it is in no group.
    """

    by: str
    from_: str
    groups: tuple[GroupFound, ...]
    cuts: tuple[Cut, ...]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class SiteKept:
    """What a site keeps for itself, and its value on ``validation`` there; ``share`` is its part of a mixture."""

    kind: str
    prompt: str
    share: float | None
    validation: float


@dataclass(frozen=True)
class FederatedResult:
    """A finished federation; ``seconds`` by stage, ``clipped`` cases (too long for the model) by site.

    ``missing``: site -> step -> why it did not answer. ``kept``: site -> what it keeps, or which row of ``test``, where
    the study asks for it; so are ``groups``, ``transfer`` (home of a prompt -> site -> its value on test) and ``worth``
    (what joining is worth) there.
    """

    seed: int
    run: str
    study: str
    templates: tuple[TemplateValues, ...]
    rounds: tuple[RoundFound, ...]
    missing: Mapping[str, Mapping[str, str]]
    clipped: Mapping[str, int]
    test: Mapping[str, ResultRow]
    differences: Mapping[str, Difference]
    prompts: NominatedIds
    sentences: tuple[str, ...]
    seconds: Mapping[str, float]
    groups: GroupsFound | None = field(metadata=ABSENT)
    kept: Mapping[str, SiteKept | str] | None = field(metadata=ABSENT)
    transfer: Mapping[str, Mapping[str, float]] | None = field(metadata=ABSENT)
    worth: WorthResult | None = field(metadata=ABSENT)
    work: ShownWork = field(metadata=INLINE)
    judge: ModelPaid | None
    settings: RunSettings | None
