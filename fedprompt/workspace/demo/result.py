"""What the demo found, as the one JSON object that its command, its page and its tests read."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedprompt.federation.round_record import RoundRecord
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Score
from fedprompt.workspace.rounds.alone import Nominated, alone_result
from fedprompt.workspace.rounds.federation_run import TestLook
from fedprompt.workspace.rounds.result_table import headline

__all__ = ["demo_result"]


def demo_result(
    *,
    run: str,
    study: str,
    model: str,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    work: Mapping[str, Any],
    clipped: Mapping[str, int],
    templates: Sequence[Prompt],
    scores: Mapping[str, Mapping[str, Score]],
    records: Sequence[RoundRecord],
    nominated: Nominated,
    look: TestLook,
) -> dict[str, Any]:
    """Return the demo's result.

    Args:
        study: the study's digest.
        settings: the demo's and the machine's, the ``seed`` among them.
        seconds: stage -> how long it took.
        work: what all of it took of the model.
        clipped: site -> cases that were too long for the model's window.
        scores: site -> prompt id -> score on validation.
        records: the rounds of all together.
    """
    found = alone_result(nominated, look, settings["seed"])
    return {
        "seed": settings["seed"],
        "run": run,
        "study": study,
        "model": model,
        "settings": dict(settings),
        "templates": _ranking(scores, templates, tuple(nominated.alone)),
        "rounds": [
            {
                "round": record.number,
                "by_site": record.by_site,
                "mean": record.mean,
                "bytes": record.bytes,
                "loss": dict(record.loss),
                "prompt": record.prompt.id,
                "kept": record.prompt.id == nominated.federated.id,
            }
            for record in records
        ],
        **found,
        "headline": headline(found["test"], found["differences"]["federated_vs_manual"]),
        "note": "centralised is tuned on the pooled cases, which only this demo may do: its texts are public",
        **work,
        "clipped": dict(clipped),
        "seconds": {**seconds, "total": round(sum(seconds.values()), 3)},
    }


def _ranking(
    scores: Mapping[str, Mapping[str, Score]], templates: Sequence[Prompt], sites: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for prompt in templates:
        found = {site: scores[site][prompt.id] for site in sites}
        values = {site: score.total / score.n for site, score in found.items()}
        rows.append(
            {
                "prompt": prompt.id,
                "name": prompt.name,
                "pooled": sum(s.total for s in found.values()) / sum(s.n for s in found.values()),
                "mean": sum(values.values()) / len(values),
                "worst": min(values.values()),
                "by_site": values,
            }
        )
    return sorted(rows, key=lambda row: -row["pooled"])
