"""Sites train a model together, weights and sums alone leave them, and a run that stops goes on with the same bits."""

import csv
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import DataError, FedPromptError, StudyError, TuningError
from fedprompt.federation.pretraining import aggregate_files
from fedprompt.models.registry import load
from fedprompt.site.folder import SiteFolder
from fedprompt.site.pretraining import PretrainingAtSite
from fedprompt.stopping import Stopped, StopToken
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.files import parse_study
from fedprompt.study.pretraining import STRATEGIES
from fedprompt.study.strategies import filled_options
from fedprompt.tuning.pretraining import room
from fedprompt.workspace.progress import Progress
from tests.tuning.pretraining.small_run import run, write_study, write_texts

TASK = """fields: [text]
answer: {type: choice, labels: [good, bad]}
templates: [{name: plain, text: "{text}:"}]
splits: {tune: 0.4, validation: 0.4, test: 0.2}
"""


@pytest.mark.whole
def test_perplexity_falls_and_a_study_takes_the_model_by_its_name(tmp_path: Path) -> None:
    home, study, sites = tmp_path / "home", write_study(tmp_path, steps=8), write_texts(tmp_path)
    found = run(home, study, sites, name="small-1")
    assert found.after < found.before and [one.round for one in found.rounds] == [0, 1, 2]
    assert all(one.before and one.after and one.after < one.before for one in found.sites.values())
    model = load("small-1", home)
    assert model.info.digest == found.digest and Path(found.folder) == home / "trained" / "small-1"
    again = run(home, study, sites, name="small-1")
    assert again == found  # it is shown, not run
    shutil.rmtree(found.folder)
    once_more = run(home, study, sites, name="small-1")
    assert load("small-1", home).info.digest == once_more.digest == found.digest


@pytest.mark.whole
@pytest.mark.parametrize("update", ["int8", "float16"])
def test_small_updates_send_fewer_bytes_and_train_as_well(update: str, tmp_path: Path) -> None:
    sites = write_texts(tmp_path)
    plain = run(tmp_path / "plain", write_study(tmp_path, steps=8), sites)
    small = run(tmp_path / "home", write_study(tmp_path, update, steps=8), sites)
    share = small.rounds[-1].received / plain.rounds[-1].received
    assert share < {"int8": 0.35, "float16": 0.6}[update]
    assert small.after == pytest.approx(plain.after, rel=0.15)


@pytest.mark.whole
def test_a_run_that_stops_at_any_step_ends_with_the_same_bits(tmp_path: Path) -> None:
    study, sites = write_study(tmp_path, "int8"), write_texts(tmp_path)
    whole = run(tmp_path / "whole", study, sites)
    home, stops = tmp_path / "home", 0
    while True:
        heard: list[str] = []

        def hear(progress: Progress, heard: list[str] = heard) -> None:
            heard.append(progress.message)

        late = 3 + stops
        stop = StopToken(lambda heard=heard, late=late: "cancelled" if len(heard) > late else None, every=0)  # type: ignore[misc]
        try:
            found = run(home, study, sites, report=hear, stop=stop)
            break
        except Stopped:
            stops += 1
    assert stops > 5 and found.digest == whole.digest
    assert [one.by_site for one in found.rounds] == [one.by_site for one in whole.rounds]


@pytest.mark.whole
def test_no_text_of_a_site_is_in_the_home_but_in_its_own_folder_nor_in_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sites = write_texts(tmp_path)
    secret = "hortensia"
    (tmp_path / "north" / "secret.txt").write_text(f"{secret} " * 8)
    with caplog.at_level(logging.DEBUG, "fedprompt"):
        run(tmp_path / "home", write_study(tmp_path), sites)
    held = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert held == [] and secret not in caplog.text
    entries = list(SiteFolder(tmp_path / "home" / "sites" / "north").ledger.entries())
    assert {entry.message["verb"] for entry in entries} == {"describe", "weights", "pretrain", "update", "perplexity"}
    assert all(entry.decision == "sent" for entry in entries)


@pytest.mark.whole
def test_a_round_is_answered_once_and_held_out_text_once_a_round(tmp_path: Path) -> None:
    run(tmp_path / "home", write_study(tmp_path), write_texts(tmp_path))
    counts = [entry.message["verb"] for entry in SiteFolder(tmp_path / "home" / "sites" / "north").ledger.entries()]
    assert counts.count("pretrain") == 2 and counts.count("perplexity") == 3


@pytest.mark.whole
def test_evaluation_cases_are_left_out_of_the_text_and_scored_before_and_after(tmp_path: Path) -> None:
    sites = write_texts(tmp_path)
    study = write_study(tmp_path)
    study.write_text(study.read_text() + TASK)
    cases = tmp_path / "cases.csv"
    inside = (tmp_path / "south" / "3.txt").read_text()
    with cases.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "answer"])
        rows.writerows(
            [[inside, "good"], *([f"w{at} of case number {at}", "good" if at % 2 else "bad"] for at in range(20))]
        )
    found = run(tmp_path / "home", study, sites, cases=cases)
    south, north = found.sites["south"].text, found.sites["north"].text
    assert south is not None and north is not None
    assert (south.evaluation, north.evaluation) == (1, 0)
    assert found.task is not None and found.task.before is None and 0 <= found.task.after <= 1


@pytest.mark.parametrize("name", STRATEGIES)
def test_blocks_make_the_step_that_whole_arrays_make(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedprompt.tuning.pretraining.flat_files.BLOCK", 7)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=30).astype(np.float32)
    changes = {site: (rng.normal(size=30).astype(np.float32), 10 + at) for at, site in enumerate("abc")}
    options = filled_options(name, {})
    state: dict[str, np.ndarray] = {}
    place = weights
    for number in range(3):
        updates = [Update(site, change[None], cases) for site, (change, cases) in changes.items()]
        kept = {part: array[None] for part, array in state.items()}
        whole = strategy_named(name).aggregate(place[None], updates, options, kept)
        to = tmp_path / f"w{number}"
        aggregate_files(name, options, place, changes, state, to=to, state_to=lambda part: tmp_path / part, most=None)
        place = np.fromfile(to, np.float32)
        state = {part: np.fromfile(tmp_path / part, np.float64) for part in whole.state}
        assert np.array_equal(place, whole.vectors[0])
        assert all(np.array_equal(state[part], array[0]) for part, array in whole.state.items())


@pytest.mark.whole
def test_a_site_whose_change_is_too_long_or_not_finite_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study(tmp_path)
    study.write_text(study.read_text().replace("{count: 2,", "{count: 2, quorum: 2,"))
    sites = write_texts(tmp_path, ("east", "north", "south"))
    honest = PretrainingAtSite.update_part

    def lying(self: PretrainingAtSite, round: int, part: int) -> dict[str, np.ndarray] | None:
        found = honest(self, round, part)
        assert found is not None
        return {"delta": found["delta"] + np.float32(1e3)} if "south" in str(self.folder) else found  # type: ignore[return-value]

    monkeypatch.setattr(PretrainingAtSite, "update_part", lying)
    found = run(tmp_path / "home", study, sites)
    assert [one.missing for one in found.rounds] == [{}, {"south tune": "untrue"}, {"south tune": "untrue"}]
    assert all(sorted(one.trained) == ["east", "north"] for one in found.rounds[1:])


def refused(call: Callable[[], object]) -> FedPromptError:
    with pytest.raises(FedPromptError) as found:
        call()
    return found.value


@pytest.mark.whole
def test_what_cannot_be_trained_is_refused_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, study, sites = tmp_path / "home", write_study(tmp_path), write_texts(tmp_path)
    (tmp_path / "empty").mkdir()
    for given, code in (({"a": [tmp_path / "empty"]}, "no-text"), ({"a": [tmp_path / "gone"]}, "cannot-read")):
        error = refused(lambda given=given: run(home, study, given))  # type: ignore[misc]
        assert isinstance(error, DataError) and error.code == code
    assert refused(lambda: run(home, study, {})).code == "no-site"
    assert refused(lambda: run(home, study, sites, resume=True)).code == "nothing-to-resume"
    assert refused(lambda: run(home, study, sites, name="../up")).code == "model-name"
    few = tmp_path / "few.yaml"
    few.write_text(study.read_text().replace("min_cases: 2", "min_cases: 9"))
    assert refused(lambda: run(home, few, sites)).code == "too-few-cases"
    plain = tmp_path / "plain.yaml"
    plain.write_text("study: plain\n" + TASK)
    error = refused(lambda: run(home, plain, sites))
    assert isinstance(error, StudyError) and error.code == "no-pretraining-part"
    monkeypatch.setattr(room, "free_memory", lambda: 1000)
    error = refused(lambda: run(home, study, sites))
    assert isinstance(error, TuningError) and error.code == "no-memory"
    assert not (home / "trained").exists()


@pytest.mark.whole
def test_one_site_trains_alone(tmp_path: Path) -> None:
    found = run(tmp_path / "home", write_study(tmp_path), write_texts(tmp_path, ("north",)))
    assert list(found.sites) == ["north"] and found.after < found.before


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("soft: {template: '{text}{soft}:', tokens: 4, init: random}\n" + TASK, "pretraining"),
        ("rounds: {strategy: {name: multi-krum}}\n", "rounds"),
        ("rounds: {patience: 2}\n", "rounds"),
        ("rounds: {secure_sums: true}\n", "rounds"),
        ("dp: {epsilon: 8, cases: 200}\n", "pretraining"),
        ("rounds: {keep_updates: true}\n", "rounds"),
    ],
)
def test_a_study_that_does_not_go_with_pretraining_is_refused_with_its_line(more: str, place: str) -> None:
    with pytest.raises(StudyError, match=rf"line \d+, {place}") as found:
        parse_study("study: s\npretraining: {steps: 2}\n" + more)
    assert found.value.code == "does-not-fit"


@pytest.mark.parametrize(
    "part", ["{window: 3}", "{accumulate: 9, batch: 8}", "{scratch: {layers: 1, width: 10, heads: 4, feed_forward: 8}}"]
)
def test_settings_out_of_bounds_are_refused(part: str) -> None:
    with pytest.raises(StudyError, match="line 2"):
        parse_study(f"study: s\npretraining: {part}\n")


def test_a_study_of_text_alone_has_the_text_as_its_task_and_other_studies_stay_as_they_were() -> None:
    found = parse_study("study: s\npretraining: {steps: 2}\n")
    assert found.fields == ("text",) and found.answer.type == "generate"
    assert "pretraining" not in parse_study("study: s\n" + TASK).model_dump(mode="json")
