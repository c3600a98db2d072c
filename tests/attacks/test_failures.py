"""That a question failed is an answer where a hub brought the vectors: one case may have made it fail."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.attackers.conversation import CuriousHub
from benchmarks.attackers.scores import spread_prompts
from fedprompt.errors import ModelError
from fedprompt.models.protocols import PreparedObjective
from fedprompt.models.scripted import ScriptedModel
from fedprompt.site.folder import SiteFolder
from fedprompt.site.private_answers import charges_of
from fedprompt.site.tally import Tally
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.attacks.attacked import START
from tests.scripted_sites import cases, study

ASKED = study(privacy={"questions": 2})


class Narrow(ScriptedModel):
    """A model in which vectors fail, as those of a hub's choice may on a single case."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self._fault = fault

    def objective(self, *given: Any, **options: Any) -> PreparedObjective:
        """Prepare nothing.

        Raises:
            Exception: always.
        """
        raise self._fault


WINDOW = ModelError("a prompt does not fit the window", code="window")


def failing(path: Path, fault: Exception = WINDOW, asked: Study = ASKED) -> CuriousHub:
    """Return the hub of a site with such a model."""
    folder, model = SiteFolder(path / "clinic"), Narrow(fault)
    folder.prepare(b"k" * 32)
    made = make_worker(name="clinic", folder=folder, study=asked, model=model, cases=cases("a"), where="clinic")
    return CuriousHub(made.handle, asked, model.info.digest)


def test_a_round_that_failed_is_not_asked_again_from_another_start(tmp_path: Path) -> None:
    hub = failing(tmp_path)
    for start in spread_prompts(START, 3):
        assert hub.tune(start, round=1, steps=2, seed=0) is None
    assert dict(hub.refused) == {"failed": 1, "round-answered": 2}
    assert hub.tune(START, round=2, steps=2, seed=0) is None and hub.refused["failed"] == 2


def test_a_soft_prompt_whose_score_failed_is_charged(tmp_path: Path) -> None:
    hub = failing(tmp_path)
    for one in spread_prompts(START, 4):
        assert hub.scores([one], "validation") is None
    assert dict(hub.refused) == {"failed": 2, "questions-spent": 2}


def test_a_round_that_ended_in_a_fault_of_the_program_is_not_asked_again_from_another_start(tmp_path: Path) -> None:
    hub = failing(tmp_path, RuntimeError("a tensor of one case has another size"))
    with pytest.raises(RuntimeError, match="one case"):
        hub.tune(START, round=1, steps=2, seed=0)
    assert hub.tune(START, round=1, steps=2, seed=0) is None and dict(hub.refused) == {"round-answered": 1}


def test_steps_that_failed_are_charged_to_the_budget_of_privacy(tmp_path: Path) -> None:
    body = study().model_dump(mode="json")
    body |= {"templates": body["templates"][:2], "privacy": {"min_cases": 10}}
    body |= {"dp": {"epsilon": 4, "cases": 30, "covers": ["tuning"]}}
    hidden = Study.model_validate(body)
    for place, fault in enumerate((ModelError("no", code="window"), RuntimeError("no"))):
        hub = failing(tmp_path / str(place), fault, hidden)
        with suppress(RuntimeError):
            hub.tune(START, round=1, steps=2, seed=0)
        folder = SiteFolder(tmp_path / str(place) / "clinic")
        told = [(one.event.rate < 1, one.event.count) for one in charges_of(Tally(folder.ledger, folder.replies))]
        assert (True, 2) in told
