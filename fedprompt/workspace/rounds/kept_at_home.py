"""Which of a few prompts each site keeps: its own validation cases say so, and the other sites lend them strength.

With few cases the best at home is often the luckiest. Where at least ``LEAST`` other sites scored the same prompts,
each prompt's difference is taken together with what it was there (``adapting.choice``); else the best at home is kept,
the first of equals. Invariant: a site's own cases are no part of what the others tell it.
"""

from collections.abc import Mapping

from fedprompt.adapting.choice import Donated, choose
from fedprompt.study.score import Score
from fedprompt.workspace.results.donated_scores import cases_of, differences, donated_scores

__all__ = ["LEAST", "kept_at_home"]

LEAST = 3


def kept_at_home(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, str]:
    """Return site -> what it keeps, by the names that its scores stand under.

    Args:
        scores: site -> name -> its score on the site's validation cases, the names of each site in one order.
    """
    return {site: _kept(site, scores) for site in scores}


def _kept(site: str, scores: Mapping[str, Mapping[str, Score]]) -> str:
    home, names = scores[site], list(scores[site])
    others = [found for other, found in scores.items() if other != site and set(names) <= set(found)]
    known = Donated.of(*[[None] * len(names)] * 3)
    if len(others) >= LEAST:
        known = donated_scores(others, names, names[0])
    size = min(cases_of(home, name, names[0]) for name in names)
    return names[choose(differences(home, names, names[0]), size, known)]
