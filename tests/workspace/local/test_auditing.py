"""``privacy audit``: it finds what is quoted, says what it cannot see, stays in the site's folder and goes on."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.auditing.verdict import weigh
from fedprompt.errors import DataError, FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.site.folder import KEY_BYTES, SiteFolder
from fedprompt.stopping import Stopped, StopToken
from fedprompt.workspace.cases.own_cases import OWN_SITE
from fedprompt.workspace.local.adapting import adapt
from fedprompt.workspace.local.audit_report import audit_reports, sentence_of
from fedprompt.workspace.local.auditing import audit
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import TEXT, write_cases, write_study
from tests.small_pack import write_small_pack


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Path, str]]:
    """Give a home that has tuned on 30 of 80 cases, their file and the prompt."""
    folder = tmp_path_factory.mktemp("audited")
    with new_workspace(folder / "home") as ws:
        SiteFolder(ws.home.sites / OWN_SITE).prepare(b"k" * KEY_BYTES)  # the verdict depends on the cut, which it keys
        data = write_cases(folder / "cases.csv", "own", 80)
        yield ws, data, tune(ws, write_study(folder / "study.yaml"), data).prompt


def test_a_report_holds_every_attack_with_its_interval_and_each_control(made: tuple[Workspace, Path, str]) -> None:
    ws, data, prompt = made
    heard: list[Progress] = []
    found = audit(ws, prompt, data, shadows=5, report=heard.append)
    assert (found.kind, found.members, found.others, found.shadows) == ("soft", 30, 40, 5)
    assert [row.attack for row in found.attacks] == ["loss", "all-but-one", "words", "canaries", "lira"]
    assert all(row.got.low <= row.got.value <= row.got.high and row.p <= row.p_adjusted for row in found.attacks)
    assert [one.control for one in found.controls] == ["overfitted", "noise-too-small", "noise-as-claimed"]
    assert found.epsilon is not None and found.update is not None and found.picture is not None
    assert sum(found.picture.members) == 30 and sum(found.picture.others) == 40
    # The scripted model's slopes have two directions: nothing singles a case out, and the audit sees that it is blind.
    assert found.verdict == "cannot-tell" and found.reason == "control-missed"
    assert {one.stage for one in heard} == {"load", "look", "controls", "canaries", "shadows"}


def test_a_report_lies_in_the_sites_folder_alone_and_holds_no_text(made: tuple[Workspace, Path, str]) -> None:
    ws, data, prompt = made
    found = audit(ws, prompt, data, shadows=5)
    folder = SiteFolder(ws.home.sites / OWN_SITE)
    assert audit_reports(folder)[0] == found  # the second time it is read
    (path,) = (folder.path / "audits").glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and "quixotry" not in path.read_text()
    assert not [one for one in ws.bank.runs() if one.kind == "audit"]


def test_the_same_prompt_audited_as_another_study_tunes_is_another_audit(
    made: tuple[Workspace, Path, str], tmp_path: Path
) -> None:
    ws, data, prompt = made
    other = tmp_path / "other.yaml"
    other.write_text(TEXT.replace("rounds: {count: 2}", "rounds: {count: 1}"), encoding="utf-8")
    assert other.read_text(encoding="utf-8") != TEXT
    first, second = audit(ws, prompt, data, shadows=0), audit(ws, prompt, data, study=other, shadows=0)
    assert first.audit != second.audit


def test_an_audit_that_was_stopped_goes_on_at_its_last_shadow(made: tuple[Workspace, Path, str]) -> None:
    ws, data, prompt = made
    kept = ws.home.sites / OWN_SITE / "audits"

    def until_two() -> str | None:
        return "paused" if len(list(kept.rglob("shadow-*.safetensors"))) >= 2 else None

    with pytest.raises(Stopped):
        audit(ws, prompt, data, shadows=5, seed=1, stop=StopToken(until_two, every=0))
    shadows = {path: path.stat().st_mtime_ns for path in kept.rglob("shadow-*.safetensors")}
    assert len(shadows) == 2 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in shadows)
    went_on = audit(ws, prompt, data, shadows=5, seed=1)
    assert not list(kept.rglob("shadow-*"))
    (kept / f"{went_on.audit.replace(':', '-')}.json").unlink()
    whole = audit(ws, prompt, data, shadows=5, seed=1)
    assert (whole.attacks, whole.epsilon) == (went_on.attacks, went_on.epsilon)


def test_cases_that_are_shown_are_a_leak_whatever_else_is_found(
    made: tuple[Workspace, Path, str], tmp_path: Path
) -> None:
    ws, data, prompt = made
    study = ws.bank.study(str(ws.bank.prompt_row(prompt).study)).study
    shown = next(Prompt(one) for one in study.candidates() if one.name == "two-shot")
    found = audit(ws, shown.id, data, shadows=0)
    assert (found.kind, found.verdict, found.quoted) == ("template", "leak", 2)
    few = write_cases(tmp_path / "few.csv", "few", 12)
    adapted = adapt(ws, pack=write_small_pack(tmp_path / "pack.zip"), data=few, show=False)
    # Every labelled case was learnt from, so there is nobody to compare with.
    alone = audit(ws, adapted.name, few)
    assert (alone.kind, alone.members, alone.others, alone.verdict) == ("adapted", 12, 0, "cannot-tell")
    beside = audit(ws, adapted.name, few, others=write_cases(tmp_path / "o.csv", "other", 40), shadows=0)
    assert (beside.others, beside.verdict, beside.reason) == (40, "cannot-tell", "few-cases")
    with pytest.raises(DataError, check=coded("no-cases")):
        audit(ws, adapted.name, few, others=few)


def test_a_packs_prompts_are_audited_as_they_answer_together(made: tuple[Workspace, Path, str], tmp_path: Path) -> None:
    ws, data, _ = made
    pack, few = write_small_pack(tmp_path / "pack.zip"), write_cases(tmp_path / "few.csv", "few", 12)
    with new_workspace(tmp_path / "empty") as empty, pytest.raises(FedPromptError, check=coded("came-without-study")):
        audit(empty, str(pack), data, pack=True)
    adapt(ws, pack=pack, data=few, show=False)  # now the home knows the pack's study
    found = audit(ws, str(pack), data, pack=True, shadows=0)
    assert found.kind == "pack" and found.attacks[0].attack == "loss" and found.verdict in ("cannot-tell", "leak")


def test_the_shadows_of_a_study_with_a_budget_carry_its_noise_and_its_claim_is_held_against_one_run(
    tmp_path: Path,
) -> None:
    study = tmp_path / "private.yaml"
    plain = [line for line in TEXT.splitlines() if "demonstrations" not in line and not line.startswith("privacy")]
    study.write_text(
        "\n".join([*plain, "privacy: {min_cases: 10}", "dp: {epsilon: 3, cases: 30}", ""]), encoding="utf-8"
    )
    with new_workspace(tmp_path / "home") as ws:
        SiteFolder(ws.home.sites / OWN_SITE).prepare(b"k" * KEY_BYTES)
        data = write_cases(tmp_path / "cases.csv", "own", 80)
        found = audit(ws, tune(ws, study, data).prompt, data, shadows=5)
    assert found.epsilon_claimed == 3 and found.epsilon is not None and found.epsilon <= 3


def test_the_verdict_never_says_more_than_it_saw() -> None:
    nothing = ([0.5, 0.9], [0.55, 0.58])
    assert weigh(*nothing, 500, 500, controls=True).verdict == "none-seen"
    assert weigh(*nothing, 29, 500, controls=True).reason == "few-cases"
    assert weigh(*nothing, 500, 500, controls=False).reason == "control-missed"
    assert weigh([0.5, 0.9], [0.55, 0.61], 500, 500, controls=True).reason == "too-wide"
    assert weigh([0.02, 0.9], [0.55, 0.58], 500, 500, controls=True).verdict == "leak"
    # Of two tests one at 0.03 is chance enough: Holm asks 0.025 of the first.
    assert weigh([0.03, 0.9], [0.55, 0.58], 500, 500, controls=True).verdict == "none-seen"
    assert weigh(*nothing, 5, 0, controls=False, certain=True).verdict == "leak"
    for verdict, reason in (("none-seen", ""), ("cannot-tell", "few-cases"), ("cannot-tell", "control-missed")):
        assert "pass" not in sentence_of(verdict, reason, 500, 500, (), 0)  # type: ignore[arg-type]  # wording
