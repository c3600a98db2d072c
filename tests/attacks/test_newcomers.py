"""A hub that has a site learn from few cases gets as many numbers as the study names, and each is charged."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.adapting.settings import AtN
from fedprompt.errors import SiteRefused
from fedprompt.federation.hub import Hub
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.allowed_rounds import FOLDS
from fedprompt.verbs.evaluate import Evaluate, EvaluateTask
from fedprompt.verbs.tune import ask_tune
from fedprompt.verbs.wire import pack_task
from fedprompt.verbs.worth import WorthReply, WorthTask, ask_worth
from tests.coded import coded
from tests.scripted_sites import MODEL, study, worker

CHOSEN = study(worth={"n": [1, 8], "draws": 4, "ways": 2, "folds": 3})
START = MODEL.text_init("Overall the feeling is", 3)
SITE = "clinic"


def hub(path: Path) -> Hub:
    """A hub that forgot all that it asked before; the site did not."""
    return Hub(LocalTransport({SITE: worker(path, SITE, chosen=CHOSEN).handle}), CHOSEN.digest(MODEL.info.digest))


def prompts(seed: int) -> list[Prompt]:
    """Two soft prompts that the hub chose."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0, 0.3, (2, 3, START.width)).astype(np.float32)
    return [Prompt(CHOSEN.soft_template(), SoftPrompt(vectors, START.model)) for vectors in drawn]


def test_many_questions_of_few_cases_get_one_answer_for_each_number_and_each_way_is_charged(tmp_path: Path) -> None:
    answers: list[WorthReply] = []
    for n in (1, 2, 8, 30):
        for seed in range(3):
            for draws, pull in ((4, 12.0), (1, 0.0)):
                ways = (AtN(n=n, pull=pull), AtN(n=n, pull=pull, method="bias"))
                try:
                    answers.append(ask_worth(hub(tmp_path), SITE, prompts(seed), (0.5, 0.5), ways, draws=draws))
                except SiteRefused as error:
                    assert error.code in ("round-answered", "not-allowed")
    assert [answer.n for answer in answers] == [1, 8]
    asked = worker(tmp_path, SITE, chosen=CHOSEN).questions
    assert [asked.answered(split).asked for split in ("tune", "validation", "test")] == [4, 4, 0]


def test_one_task_id_for_several_questions_is_charged_for_each(tmp_path: Path) -> None:
    site, (shared, _) = worker(tmp_path, SITE, chosen=CHOSEN), prompts(0)
    assert shared.soft is not None
    for n in (1, 8):
        asked = WorthTask(
            task="t1:" + "0" * 32,
            study=site.digest,
            n=n,
            draws=4,
            templates=(),
            soft=(shared.id,),
            weights=(1.0,),
            ways=(AtN(n=n),),
        )
        site.handle(pack_task(asked, {"soft-0": shared.soft.vectors}))
    assert [site.questions.answered(split).asked for split in ("tune", "validation", "test")] == [2, 2, 0]
    # What a site keeps for itself is chosen once a study, and is named by it.
    chosen = EvaluateTask(task="t1:" + "0" * 32, study=site.digest, split="validation", soft=(shared.id,), choose=0)
    other = chosen.model_copy(update={"study": "s1:" + "0" * 32})
    assert not set(Evaluate().exact(chosen)) & set(Evaluate().exact(other))


def test_an_answer_holds_whole_numbers_over_all_validation_cases_and_no_draw_of_its_own(tmp_path: Path) -> None:
    found = ask_worth(hub(tmp_path), SITE, prompts(0), (0.5, 0.5), (AtN(n=8),), draws=4)
    assert found.cases == 20 and all(isinstance(right, int) for right in found.right)
    assert set(found.model_dump()) == {"verb", "task", "n", "draws", "cases", "right"}


def test_a_site_tunes_in_all_folds_but_one_and_its_first_update_is_the_one_that_the_hub_has(tmp_path: Path) -> None:
    of = hub(tmp_path)
    common = ask_tune(of, SITE, START.vectors, round=1, steps=2, seed=0)
    for fold in FOLDS[:2]:
        again = ask_tune(of, SITE, START.vectors, round=1, steps=2, seed=0, among=fold)
        assert again.delta.tobytes() == common.delta.tobytes()
    for fold in FOLDS[2:4]:  # the third is the site's own, a fourth there is not
        with pytest.raises(SiteRefused, check=coded("not-allowed")):
            ask_tune(of, SITE, START.vectors, round=1, steps=2, seed=0, among=fold)
