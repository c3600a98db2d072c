"""A hub that holds every reply against the study drops no honest site, whatever the study asks for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.evaluation.cases import Case
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Study
from fedprompt.verbs.describe import ask_describe
from fedprompt.verbs.evaluate import ask_choice, ask_evaluate
from fedprompt.verbs.score import ask_score
from fedprompt.verbs.tune import ask_tune
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.scripted_sites import MODEL, STUDY, cases

pytestmark = pytest.mark.whole

BODY = STUDY.model_dump(mode="json")
START = MODEL.text_init("Overall the feeling is", 3)
PERSONAL = {"rounds": {**BODY["rounds"], "personal": {"mixtures": [0.25, 0.5]}}}
SCORERS: tuple[Any, ...] = (
    "exact",
    "contains",
    "token-f1",
    "json",
    "exact-characters",
    "rouge-l",
    {"name": "numeric", "negate": True},
    {"name": "regex", "pattern": "[a-z]+"},
    {"name": "token-f1", "threshold": 0.3, "weight": 0.7},
)


def of(**changes: Any) -> Study:
    return Study.model_validate({**BODY, **changes})


def hub_of(path: Path, chosen: Study, own: Sequence[Case]) -> Hub:
    folder = SiteFolder(path)
    folder.prepare(b"h" * 32)
    made = make_worker(name="site", folder=folder, study=chosen, model=MODEL, cases=own, where="site")
    return Hub(LocalTransport({"site": made.handle}), chosen.digest(MODEL.info.digest), held_to=chosen)


def templates(chosen: Study) -> list[str]:
    return [Prompt(template).id for template in chosen.candidates()]


def asked_everything(hub: Hub, chosen: Study) -> int:
    """Ask all that a federation asks, and return how many cases of validation a score was over."""
    ids = templates(chosen)
    ask_describe(hub, "site")
    scores = ask_score(hub, "site", ids, ids[-1]).scores
    prompts = [Prompt(template) for template in chosen.candidates()]
    if chosen.soft is not None:
        update = ask_tune(
            hub, "site", START.vectors, round=1, steps=chosen.tuning.steps, seed=3, precision=chosen.rounds.update
        )
        prompts.append(Prompt(chosen.soft_template(), SoftPrompt(START.vectors + update.delta, START.model)))
    pairs = [(one.id, other.id) for one in prompts for other in prompts if one.id < other.id]
    ask_evaluate(hub, "site", prompts, "validation", pairs)
    ask_evaluate(hub, "site", prompts, "test", pairs)
    return scores[0].n


@pytest.mark.parametrize("min_cell", [1, 5])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"answer": {**BODY["answer"], "normalise": "tokens"}},
        {"answer": {**BODY["answer"], "prior": "pmi"}},
        {"rounds": {**BODY["rounds"], "update": "int8"}},
        {"rounds": {**BODY["rounds"], "update": "float16"}},
        {"tuning": {**BODY["tuning"], "lr": 5.0}},
        {"privacy": {**BODY["privacy"], "max_norm": 0.01}},
    ],
    ids=["plain", "normalised", "prior", "int8", "float16", "large steps", "clipped"],
)
def test_a_choice_passes(tmp_path: Path, changes: Mapping[str, Any], min_cell: int) -> None:
    body = {**BODY, **changes}
    chosen = of(**{**changes, "privacy": {**body["privacy"], "min_cell": min_cell}})
    assert asked_everything(hub_of(tmp_path / "site", chosen, cases("site")), chosen) == 20


def test_groups_rare_labels_and_texts_beyond_the_window_pass(tmp_path: Path) -> None:
    labels = ["positive", "negative", "neither", "both"]
    templates_of = [{key: one[key] for key in ("name", "text")} for one in BODY["templates"][:2]]
    chosen = of(
        answer={"type": "choice", "labels": labels},
        templates=templates_of,
        privacy={**BODY["privacy"], "min_cell": 5},
        splits={"tune": 0.4, "validation": 0.3, "test": 0.3},
    )
    own = [
        Case(
            {"text": case.fields["text"] + (" so long" * 9000 if place == 7 else "")},
            labels[2] if place % 40 == 3 else case.answer,  # 4 of one label, none of another
            group=f"g{place // 2}",
            line=place,
        )
        for place, case in enumerate(cases("site", 160))
    ]
    hub = hub_of(tmp_path / "site", chosen, own)
    assert asked_everything(hub, chosen) > 20
    assert hub.described["site"].labels[2:] == (0, 0)


def test_what_a_site_chooses_for_itself_passes(tmp_path: Path) -> None:
    chosen = of(**PERSONAL)
    hub = hub_of(tmp_path / "site", chosen, cases("site"))
    common = Prompt(chosen.soft_template(), SoftPrompt(np.full((3, START.width), 0.1, np.float32), START.model))
    choice, _ = ask_choice(hub, "site", templates(chosen), [common], START.vectors, 0)
    own = choice.prompt if choice.prompt.startswith("h1:") else None
    assert ask_evaluate(hub, "site", [common], "test", (), own).looks == 1


@pytest.mark.parametrize("scorers", [*([one] for one in SCORERS), list(SCORERS)], ids=str)
def test_free_text_passes_whoever_judges_it(tmp_path: Path, scorers: list[Any]) -> None:
    chosen = Study.model_validate(
        {
            **{key: value for key, value in BODY.items() if key not in ("soft", "metric")},
            "answer": {"type": "generate", "scorers": scorers, "max_tokens": 4},
            "metric": "score",
            "templates": [{"name": "a", "text": "{text}:"}, {"name": "b", "text": "Say {text}"}],
        }
    )
    own = [
        Case(case.fields, "" if place % 9 == 0 else f"{place} {case.answer}", group=f"g{place // 2}", line=place)
        for place, case in enumerate(cases("site", 90))
    ]
    assert 10 <= asked_everything(hub_of(tmp_path / "site", chosen, own), chosen) <= 26
