"""Where the study says so, a site takes how common classes are among its own cases out of what it tunes."""

from pathlib import Path

import numpy as np

from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.site_of_file import make_worker
from tests.scripted_sites import LABELS, MODEL, STUDY, cases, study

START = MODEL.text_init("Overall the feeling is", 3).vectors


def site(path: Path, chosen: Study) -> Worker:
    """Return a site of 40 positive cases and 80 negative ones."""
    mine = [*cases("a", 80), *(case for case in cases("b", 80) if case.answer == LABELS[1])]
    folder = SiteFolder(path)
    folder.prepare(b"k" * 32)
    return make_worker(name="clinic", folder=folder, study=chosen, model=MODEL, cases=mine, where="made up")


def test_only_what_is_tuned_on_changes(tmp_path: Path) -> None:
    plain, free = site(tmp_path / "a", STUDY), site(tmp_path / "b", study(tuning={"prior_free": True}))
    rows = range(30)
    one, other = (at.side.objective("tune").loss_and_gradient(START, rows) for at in (plain, free))
    # 10 of 30 cases are positive: the scores of negative ones are log 2 or so higher, which no step teaches them.
    assert one.loss != other.loss and not np.allclose(one.gradient, other.gradient)
    for split in ("tune", "validation"):
        tables = [at.side.objective(split).loglikelihoods(START) for at in (plain, free)]
        assert np.array_equal(*tables)
    looks = [at.side.objective("validation").loss_and_gradient(START, range(20)) for at in (plain, free)]
    assert looks[0].loss == looks[1].loss
