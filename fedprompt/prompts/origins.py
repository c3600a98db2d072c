"""What a prompt comes from: every way into a bank, and how cards, titles and filters tell of it.

A bank keeps an origin as text: the way alone, such as ``federated``, or the way and a name, such as ``local:clinic``.
Invariant: whoever records a prompt takes its origin from a row of this table. Text of no row, which a bank merged with
a later one may hold, is shown as it stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "CENTRALISED",
    "FEDERATED",
    "FOLD",
    "GROUP",
    "HARDENED",
    "IMPORTED",
    "LOCAL",
    "ORIGINS",
    "PLAYGROUND",
    "PUBLISHED",
    "RECOMPUTED",
    "SHARED",
    "STUDY",
    "TUNED",
    "Origin",
    "origin_choices",
    "origin_of",
    "origin_words",
]


@dataclass(frozen=True)
class Origin:
    """One way in which a prompt came to be.

    ``words`` tell it in a title and ``sentence`` in a model card; ``{name}`` in them stands for the site or the group.
    ``rounds`` are told apart in titles: such prompts share a name, and the origin and the round say which is meant.
    ``part`` is what one of them is called.
    """

    key: str
    words: str
    sentence: str
    rounds: bool = False
    part: str = "round"

    @property
    def named(self) -> bool:
        """Whether a name goes with it."""
        return "{name}" in self.words

    def of(self, name: str | int) -> str:
        """Return the text that a bank keeps where a name goes with the origin."""
        return f"{self.key}:{name}"


STUDY = Origin("study", "written for the study", "People wrote it as a candidate of the study.")
FEDERATED = Origin(
    "federated",
    "tuned together",
    "It was tuned in federated rounds: sites tuned it on their own cases, and the hub averaged only vectors.",
    rounds=True,
)
LOCAL = Origin("local", "tuned alone at {name}", "It was tuned only at site `{name}`.", rounds=True)
GROUP = Origin(
    "group",
    "tuned in group {name}",
    "It was tuned in federated rounds among the similar sites of group `{name}`. The hub averaged only vectors.",
    rounds=True,
)
FOLD = Origin(
    "fold",
    "tuned together without part {name} of the sites",
    "It was tuned in federated rounds without part `{name}` of the sites, to measure the gain from joining.",
    rounds=True,
)
CENTRALISED = Origin("centralised", "tuned on pooled cases", "tuned on pooled cases", rounds=True)
TUNED = Origin(
    "tuned",
    "tuned on own cases",
    "It was tuned on the cases of one file, without a federation.",
    rounds=True,
    part="part",
)
RECOMPUTED = Origin(
    "recomputed",
    "recomputed without a site",
    "It was recomputed from the stored rounds of a federation, without the changes of a site that was removed.",
    rounds=True,
)
HARDENED = Origin(
    "hardened",
    "words found for a soft prompt",
    "Its words were searched for by a program, so that they do what a soft prompt does.",
)
IMPORTED = Origin("import", "imported", "It was imported from another bank or tool.")
PLAYGROUND = Origin("playground", "written in the playground", "It was written in the playground.")
PUBLISHED = Origin(
    "published", "published by {name}", "It was written at a site, `{name}`, which published it to its federation."
)
SHARED = Origin(
    "shared", "came with a pack", "It came with a pack of shared prompts, to be asked side by side with others of it."
)

ORIGINS = (
    STUDY,
    FEDERATED,
    LOCAL,
    GROUP,
    FOLD,
    CENTRALISED,
    TUNED,
    RECOMPUTED,
    HARDENED,
    IMPORTED,
    PLAYGROUND,
    PUBLISHED,
    SHARED,
)
_BY_KEY = {one.key: one for one in ORIGINS}


def origin_of(text: str) -> tuple[Origin | None, str]:
    """Return the row that a bank's text means, None where it is of none, and the name that goes with it."""
    key, _, name = text.partition(":")
    return _BY_KEY.get(key), name


def origin_words(text: str) -> str:
    """Return in words what a bank's text means."""
    row, name = origin_of(text)
    # Not str.format: a site's name is data, and so is text of no row.
    return text if row is None else row.words.replace("{name}", name)


def origin_choices(sites: Sequence[str] = ()) -> dict[str, str]:
    """Return what a list of prompts can be filtered by: a bank's text, and its words. Sites' own come last."""
    found = [one.key for one in ORIGINS if not one.named] + [LOCAL.of(site) for site in sites]
    return {text: origin_words(text) for text in found}
