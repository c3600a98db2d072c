"""What the rows of a result are called: the keys stand in results and ``--json``, the words on pages and in commands.

Invariant: a key that a result may have has its words here, in the order in which tables show them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["HARDENING", "TESTED", "Label", "labelled"]


@dataclass(frozen=True)
class Label:
    """A row's ``words``, as in a table, and a sentence ``about`` what was measured."""

    words: str
    about: str


TESTED: Mapping[str, Label] = {
    "manual": Label(
        "best template",
        "The hand-written template with the highest accuracy on pooled validation cases, at every site.",
    ),
    "local_only": Label(
        "own prompts, every site",
        "Each site's own prompt at every site. The lowest number belongs to one site's prompt.",
    ),
    "local_own": Label("own prompts, own site", "Each site's own prompt, on its own test cases."),
    "federated": Label("tuned together", "One prompt that all sites tuned together, at every site."),
    "grouped": Label("tuned in groups of similar sites", "One prompt per group of sites, tested at each of its sites."),
    "kept": Label("prompt kept by each site", "The best prompt for the site, by validation cases."),
    "centralised": Label("reference: tuned on pooled cases", "Only the demo can pool all cases. Real sites cannot."),
}

HARDENING: Mapping[str, str] = {
    "soft": "soft prompt",
    "cosine": "nearest words, by angle",
    "euclid": "nearest words, by distance",
    "words": "words found",
    "manual": "best template",
}


def labelled(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the rows of a test by key and words, in the tables' order; a key that is not known here comes last."""
    held = list(names)
    known = [(name, label.words) for name, label in TESTED.items() if name in held]
    return known + [(name, name) for name in held if name not in TESTED]
