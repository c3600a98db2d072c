"""What a finished run found, as every page tells it: one sentence, and what joining gained each site."""

from collections.abc import Mapping
from typing import Any

from fedprompt.evaluation.statistics.intervals import Interval
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.demo.worthwhile import newcomer_sentence
from fedprompt.workspace.results.views import GainView
from fedprompt.workspace.results.worth import CurvePoint
from fedprompt.workspace.rounds.result_table import Difference, ResultRow, gain_sentence, headline

__all__ = ["curve_of", "finding_of", "gains_of"]

SHARED = "shared"  # what a site keeps that mixes shared prompts with its own


def curve_of(result: Mapping[str, Any]) -> tuple[CurvePoint, ...]:
    """Return what shared prompts are worth by the number of labelled cases, where a newcomer showed it."""
    newcomer = result.get("newcomer")
    known = () if newcomer is None else newcomer["curve"]
    return tuple(CurvePoint.model_validate({name: point[name] for name in CurvePoint.model_fields}) for point in known)


def finding_of(result: Mapping[str, Any]) -> str | None:
    """Return a run's finding in a sentence; None where nothing was tuned together."""
    if curve := curve_of(result):
        at = next(point for point in curve if point.n == result["newcomer"]["n"])
        return newcomer_sentence(at, max(point.n for point in curve))
    against = result.get("differences", {}).get("federated_vs_manual")
    if against is None:
        return None
    test = {name: from_json(ResultRow, row) for name, row in result["test"].items()}
    return headline(test, from_json(Difference, against))


def gains_of(result: Mapping[str, Any]) -> tuple[GainView, ...]:
    """Return what joining gained each site, for results that compared it with tuning alone.

    Where a site mixes shared prompts with its own, that is what it gained by.
    """
    donors = result.get("donors")
    against = result.get("differences", {}).get("kept_vs_local_own") if donors is None else donors["gain"]
    found = {} if against is None else from_json(Difference, against).by_site
    gains = []
    for site, gain in sorted(found.items()):
        verdict = "not yet distinguishable"
        if gain.distinguishable:
            verdict = "better" if gain.difference > 0 else "worse"
        interval = Interval(100 * gain.low, 100 * gain.high)
        kept = result["kept"][site] if donors is None else SHARED
        gains.append(GainView(site, 100 * gain.difference, interval, verdict, gain_sentence(site, kept, gain), kept))
    return tuple(gains)
