"""What the demo found, as the one JSON object that its command, its page and its tests read."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedprompt.federation.rounds import RoundRecord
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.score import Score
from fedprompt.workspace.demo_nominated import COMPARED, Nominated
from fedprompt.workspace.federation_run import TestLook
from fedprompt.workspace.result_table import average, difference, entry, gain_sentence, headline

__all__ = ["demo_result"]


def demo_result(
    *,
    run: str,
    study: str,
    model: str,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
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
        scores: site -> prompt id -> score on validation.
        records: the rounds of all together.
    """
    seed, sites = settings["seed"], tuple(nominated.alone)
    one = {
        name: {site: look.scores[site][prompt.id] for site in sites}
        for name, prompt in (
            ("manual", nominated.manual),
            ("centralised", nominated.centralised),
            ("federated", nominated.federated),
        )
    }
    homes = {home: {site: look.scores[site][p.id] for site in sites} for home, p in nominated.alone.items()}
    own = {site: homes[site][site] for site in sites}
    kept = {site: look.scores[site][nominated.kept_prompt(site).id] for site in sites}
    everywhere = entry(average(list(homes.values())), seed)
    by_home = {home: sum(s.total / s.n for s in found.values()) / len(sites) for home, found in homes.items()}
    test = {
        "manual": entry(one["manual"], seed),
        "local_own": entry(own, seed),
        "local_only": {**everywhere, "worst": min(by_home.values()), "by_site": by_home},
        "centralised": entry(one["centralised"], seed),
        "federated": entry(one["federated"], seed),
        "kept": entry(kept, seed),
    }
    differences = {
        f"{first}_vs_{second}": difference(
            look,
            {s: (nominated.named(first, s).id, nominated.named(second, s).id) for s in sites},
            seed,
        )
        for first, second in COMPARED
    }
    gains = differences["kept_vs_local_own"]["by_site"]
    return {
        "seed": seed,
        "run": run,
        "study": study,
        "model": model,
        "settings": dict(settings),
        "templates": _ranking(scores, templates, sites),
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
        "test": test,
        "transfer": {home: {s: v.total / v.n for s, v in found.items()} for home, found in homes.items()},
        "differences": differences,
        "kept": dict(nominated.kept),
        "prompts": nominated.ids(),
        "sentences": [gain_sentence(site, nominated.kept[site], gains[site]) for site in sites],
        "headline": headline(test, differences["federated_vs_manual"]),
        "note": "centralised is tuned on the pooled cases, which only this demo may do: its texts are public",
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
