"""Whoever writes a study cannot have a site fetch or load a model that its policy does not list."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import FedPromptError, ModelError
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.site.folder import SiteFolder
from fedprompt.verbs.describe import DescribeTask
from fedprompt.verbs.wire import pack_task, unpack_reply
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.site.pause import site_status
from fedprompt.workspace.site.policy import site_policy
from fedprompt.workspace.site.rehearse import site_rehearse
from fedprompt.workspace.site.report import site_report
from fedprompt.workspace.site.run import open_worker
from fedprompt.workspace.site.study import site_study_accept, site_study_show
from tests.coded import coded
from tests.scripted_sites import MODEL, TEXT, write_cases, write_study
from tests.workspace.site.test_site_actions import ABOUT

EVIL = "owner/evil"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose site 'ant' was invited. No hub answers here, and a try to fetch is told as such."""
    found = find_home(tmp_path / "home")
    SiteFolder(found.sites / "ant").prepare(b"a" * 32)
    write_json(found.sites / "ant" / "site.json", ABOUT)
    return found


def named(folder: Path, model: str) -> Path:
    """Write the small study with another model."""
    path = folder / "named.yaml"
    path.write_text(TEXT.replace("model: scripted", f"model: '{model}'"))
    return path


def test_a_study_shows_its_model_with_source_and_digest(home: Home, tmp_path: Path) -> None:
    found = site_study_show(home, write_study(tmp_path / "study.yaml"))
    assert (found.model, found.model_source, found.refused) == ("scripted", "built in", None)
    assert found.model_digest == MODEL.info.digest


def test_a_model_of_a_hub_is_shown_and_not_fetched_and_its_study_is_not_accepted(home: Home, tmp_path: Path) -> None:
    study = named(tmp_path, EVIL)
    shown = site_study_show(home, study)
    assert (shown.model_source, shown.digest, shown.model_digest) == ("hub", None, None)
    assert f"--models bundled,here,servers,{EVIL}" in shown.refused
    with pytest.raises(ModelError) as refused:
        site_study_accept(home, study)
    assert refused.value.code == "model-not-listed"
    assert enrolled(home, None).accepted() == () and not (home.path / "models").exists()


@pytest.mark.parametrize("allowed", ["owner/other", "owner/evil@v1", "owner", "evil", "hub"])
def test_no_other_name_in_the_list_lets_it_be_fetched(home: Home, tmp_path: Path, allowed: str) -> None:
    site_policy(home, {"models": ["bundled", "here", "servers", allowed]})
    with pytest.raises(ModelError) as refused:
        site_study_accept(home, named(tmp_path, EVIL))
    assert refused.value.code == "model-not-listed"


def test_only_a_model_that_the_operator_names_is_tried_to_be_fetched(home: Home, tmp_path: Path) -> None:
    site_policy(home, {"models": [EVIL]})
    with pytest.raises(ModelError, check=coded("model-not-here")):
        site_study_accept(home, named(tmp_path, EVIL))


def test_a_study_that_was_slipped_among_the_accepted_ones_loads_no_model(home: Home, tmp_path: Path) -> None:
    digest = site_study_accept(home, write_study(tmp_path / "study.yaml")).shown.digest
    site = enrolled(home, None)
    path = site.studies / f"{digest.replace(':', '-')}.json"
    body = json.loads(path.read_text())
    body["study"]["model"] = EVIL
    path.write_text(json.dumps(body))
    data = write_cases(tmp_path / "cases.csv", "ant")
    doors: list[Any] = [
        lambda: open_worker(home, site, site.the_study(None), data, BY_NAME),
        lambda: site_rehearse(home, data),
    ]
    for door in doors:
        with pytest.raises(FedPromptError) as refused:
            door()
        assert refused.value.code == "model-not-listed"
    (row,) = site_status(home).studies
    assert row.loads.model_source == "hub" and row.loads.refused is not None


def test_a_model_that_is_taken_off_the_list_answers_no_task_from_then_on(home: Home, tmp_path: Path) -> None:
    site_study_accept(home, write_study(tmp_path / "study.yaml"))
    site = enrolled(home, None)
    worker = open_worker(home, site, site.the_study(None), write_cases(tmp_path / "cases.csv", "ant"), BY_NAME)

    def ask(number: int) -> dict[str, Any]:
        task = DescribeTask(task=f"t1:{number:032x}", study=worker.digest)
        return unpack_reply(worker.handle(pack_task(task, {})).data).message.model_dump()

    assert ask(1)["verb"] == "describe"
    site_policy(home, {"models": ["here"]})
    assert ask(2)["code"] == "not-allowed"
    site_policy(home, {"models": ["scripted"]})
    assert ask(3)["verb"] == "describe"
    with pytest.raises(ModelError):
        site_policy(home, {"models": []})
        open_worker(home, site, site.the_study(None), tmp_path / "cases.csv", BY_NAME)


def test_status_and_report_name_the_model_of_each_accepted_study(home: Home, tmp_path: Path) -> None:
    site_study_accept(home, write_study(tmp_path / "study.yaml"))
    (row,) = site_status(home).studies
    assert (row.loads.model, row.loads.model_source, row.loads.model_digest) == (
        "scripted",
        "built in",
        MODEL.info.digest,
    )
    found = site_report(home)
    assert found.studies[0].loads.model_digest == MODEL.info.digest
    assert MODEL.info.digest in found.page and found.policy.models == ("bundled", "here", "servers")
