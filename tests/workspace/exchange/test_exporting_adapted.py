"""An adapted prompt leaves only where it is named: a bundle holds it whole, formats of one prompt refuse a mixture."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import ExportError
from fedprompt.exports.archive import open_archive
from fedprompt.exports.bundle import read_bundle
from fedprompt.exports.reading import dropped_normalising
from fedprompt.prompts.adapted import Adapted
from fedprompt.workspace.answers.adapted_answers import runnable
from fedprompt.workspace.exchange.exporting import export_prompts, formats, gathered, import_file
from fedprompt.workspace.exchange.preview import preview_export
from fedprompt.workspace.exported import ExportedPrompts
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import LABELS
from tests.small_pack import MEMBERS

NAME, ONE = "small@home", "small@one"
WHOLE = Adapted(MEMBERS, (0.4, 0.1, 0.1, 0.2, 0.2), LABELS, (0.7, -0.7))
SINGLE = Adapted(MEMBERS[3:4], (1.0,), LABELS, (1.0, -1.0))


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        for adapted, name in ((WHOLE, NAME), (SINGLE, ONE)):
            opened.bank.record_adapted(adapted, name=name, study=None, about={"model": "scripted"})
        yield opened


def bank_json(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as opened:
        found: dict[str, Any] = json.loads(opened.read("bank.json"))
    return found


def test_a_bundle_holds_members_weights_and_bias_and_comes_back_as_it_was(ws: Workspace, tmp_path: Path) -> None:
    found = export_prompts(ws, [NAME], "bundle", tmp_path / "out.zip")
    assert found.prompts == (WHOLE.id,)
    (described,) = bank_json(found.path)["adapted"]
    assert described["weights"] == list(WHOLE.weights) and described["bias"] == list(WHOLE.bias)
    assert "positive" in described["reading"]["how"] and "+0.7000" in described["reading"]["how"]
    with new_workspace(tmp_path / "other") as other:
        came = import_file(other, found.path)
        assert came.adapted == {NAME: WHOLE.id} and set(came.prompts) == set(WHOLE.member_ids)
        back = other.bank.adapted(NAME)
        assert (back.id, back.weights, back.bias) == (WHOLE.id, WHOLE.weights, WHOLE.bias)
        other.bank.record_adapted(back, name="small@scripted", study=None, about={"model": "scripted"})
        text = {"text": "a lovely evening"}
        assert runnable(other, "small@scripted").run(text) == runnable(ws, NAME).run(text)


def test_what_a_name_stands_for_is_not_changed_by_an_import(ws: Workspace, tmp_path: Path) -> None:
    path = export_prompts(ws, [NAME], "bundle", tmp_path / "out.zip").path
    with new_workspace(tmp_path / "other") as other:
        other.bank.record_adapted(SINGLE, name=NAME, study=None, about={})
        id = other.bank.record_prompt(MEMBERS[4], study=None, origin="import")
        other.bank.tag_prompt(id, "small@home-2", by="tests", signer=home_signer(other.home))
        assert import_file(other, path).adapted == {"small@home-3": WHOLE.id}
        assert other.bank.adapted_row(NAME).id == SINGLE.id
        assert import_file(other, path).adapted == {"small@home-3": WHOLE.id}  # once more changes nothing


def test_formats_of_one_prompt_refuse_a_mixture_and_name_the_one_that_holds_it(ws: Workspace, tmp_path: Path) -> None:
    allowed = {one.name: one for one in formats(ws, [NAME])}
    assert {name for name, one in allowed.items() if one.allowed} == {"bundle", "card"}
    assert {one.instead for one in allowed.values() if not one.allowed} == {"bundle"}
    for act in (
        lambda: export_prompts(ws, [NAME], "langchain", tmp_path / "x"),
        lambda: preview_export(ws, [NAME], "langchain", "x"),
    ):
        with pytest.raises(ExportError, check=coded("adapted-prompt")):
            act()


def test_one_prompt_with_a_bias_goes_into_text_formats_and_says_how_to_add_it(ws: Workspace, tmp_path: Path) -> None:
    found = export_prompts(ws, [ONE], "langchain", tmp_path / "out")
    text = "".join(path.read_text() for path in found.path.rglob("*") if path.is_file())
    assert "+1.0000" in text and "-1.0000" in text


def test_lines_that_compare_plain_sums_say_that_the_numbers_are_missing(ws: Workspace) -> None:
    (item,) = gathered(ws, [ONE])
    assert not item.reading.is_plain and "add the biases" in dropped_normalising(item)[0]


def test_a_card_tells_weights_and_biases(ws: Workspace, tmp_path: Path) -> None:
    text = export_prompts(ws, [NAME], "card", tmp_path / "out.md").path.read_text()
    assert WHOLE.id in text and all(one.id in text for one in MEMBERS) and "| 0.4000 |" in text and "+0.7000" in text


def test_promptfoos_provider_adds_the_bias(ws: Workspace, tmp_path: Path) -> None:
    path = export_prompts(ws, [ONE], "promptfoo", tmp_path / "out").path
    text = {"text": "a lovely evening"}
    found = ExportedPrompts.open(path, "scripted", tmp_path / "home").answer(MEMBERS[3].id, text)
    assert found == runnable(ws, ONE).run(text)


def test_a_bundle_without_adapted_prompts_is_what_earlier_versions_read(ws: Workspace, tmp_path: Path) -> None:
    body = bank_json(export_prompts(ws, [MEMBERS[0].id], "bundle", tmp_path / "out.zip").path)
    assert body["version"] == 1 and "adapted" not in body and "bias" not in body["prompts"][0]["reading"]


def test_a_bundle_inside_a_release_or_pack_may_hold_none(ws: Workspace, tmp_path: Path) -> None:
    path = export_prompts(ws, [NAME], "bundle", tmp_path / "out.zip").path
    with open_archive(path) as archive, pytest.raises(ExportError, check=coded("adapted-prompt")):
        read_bundle(archive)


def _changed(path: Path, out: Path, **changes: Any) -> Path:
    import hashlib

    with zipfile.ZipFile(path) as opened:
        held = {name: opened.read(name) for name in opened.namelist() if name != "signature.json"}
    body = json.loads(held["bank.json"])
    body["adapted"][0] |= changes
    held["bank.json"] = json.dumps(body).encode()
    sums = {name: hashlib.sha256(one).hexdigest() for name, one in held.items() if name != "hashes.json"}
    held["hashes.json"] = json.dumps({"algorithm": "sha256", "files": sums}).encode()
    with zipfile.ZipFile(out, "w") as made:
        for name, one in held.items():
            made.writestr(name, one)
    return out


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"weights": [0.2] * 5}, "another-content"),
        ({"weights": [1.0, 1.0, 1.0, 1.0, 1.0]}, "not-shares"),
        ({"weights": [0.5, 0.5]}, "wrong-shape"),
        ({"bias": [1e9, 0.0]}, "not-well-formed"),
        ({"bias": [0.0]}, "wrong-shape"),
        ({"labels": ["yes", "no"]}, "word-without-label"),
        ({"members": ["p1:" + "0" * 32]}, "member-missing"),
        ({"members": [MEMBERS[0].id] * 5}, "named-twice"),
        ({"id": "a1:" + "0" * 32}, "another-content"),
        ({"more": 1}, "not-well-formed"),
    ],
)
def test_hostile_numbers_are_refused(ws: Workspace, tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    path = export_prompts(ws, [NAME], "bundle", tmp_path / "out.zip").path
    with new_workspace(tmp_path / "other") as other:
        with pytest.raises(ExportError, check=coded(code)):
            import_file(other, _changed(path, tmp_path / "odd.zip", **changes))
        assert not other.bank.all_adapted() and not other.bank.count_prompts()
