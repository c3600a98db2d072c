"""That a question failed is an answer where a hub brought the vectors: one case may have made it fail."""

from pathlib import Path
from typing import Any

from benchmarks.attackers.conversation import CuriousHub
from benchmarks.attackers.scores import spread_prompts
from fedprompt.errors import ModelError
from fedprompt.models.protocols import PreparedObjective
from fedprompt.models.scripted import ScriptedModel
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.attacks.attacked import START
from tests.scripted_sites import cases, study

ASKED = study(privacy={"questions": 2})


class Narrow(ScriptedModel):
    """A model in which vectors fail, as those of a hub's choice may on a single case."""

    def objective(self, *given: Any, **options: Any) -> PreparedObjective:
        """Prepare nothing.

        Raises:
            ModelError: always.
        """
        raise ModelError("a prompt does not fit the window", code="window")


def failing(path: Path) -> CuriousHub:
    """Return the hub of a site with such a model."""
    folder, model = SiteFolder(path / "clinic"), Narrow()
    folder.prepare(b"k" * 32)
    made = make_worker(name="clinic", folder=folder, study=ASKED, model=model, cases=cases("a"), where="clinic")
    return CuriousHub(made.handle, ASKED, model.info.digest)


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
