"""A pack is read as a stranger's: whole, of this study and model, or refused with what is wrong."""

import base64
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import ExportError, FedPromptError, ModelMismatch
from fedprompt.exports.protocol import ExportContext
from fedprompt.exports.tensors import save_tensor
from fedprompt.models.scripted import NAME, ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.exchange.kept_packs import keep_pack, supersede, superseded_by
from fedprompt.workspace.exchange.pack import read_pack, write_pack
from fedprompt.workspace.exchange.pack_files import open_pack
from fedprompt.workspace.exchange.pack_schema import Member, Pack
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.small_pack import small_head
from tests.workspace.exchange.packs import MODEL, STUDY, changed, exported, pack_made, prompts_made, rewritten, write


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pack") / "pack")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "pack"))


def study_file(path: Path, **changes: Any) -> Path:
    body = {**json.loads(STUDY.model_dump_json(exclude_defaults=True)), **changes}
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    return path


def test_what_was_written_is_read_back_whole_from_a_folder_and_a_zip(ws: Workspace, made: Path, tmp_path: Path) -> None:
    zipped = write(tmp_path / "pack.zip")
    for path in (made, zipped):
        found = read_pack(ws, path)
        assert (found.pack, found.pack.id) == (pack_made(), pack_made().id)
        assert {member.id for member in found.members} == {prompt.id for prompt in prompts_made()}
        assert [member.id for member in found.members] == [member.prompt for member in found.pack.members]
        assert (found.model_name, found.study, found.release, found.vouched) == (NAME, None, None, False)
        found.check_model(ScriptedModel().info)
    again = write(tmp_path / "again.zip")
    assert again.read_bytes() == zipped.read_bytes()


def test_its_id_is_its_content() -> None:
    one = pack_made()
    assert one.id.startswith("g1:") and Pack.model_validate_json(one.model_dump_json()).id == one.id
    assert pack_made(donors=5).id != one.id


def test_the_study_is_what_the_home_knows_or_the_file_says(ws: Workspace, made: Path, tmp_path: Path) -> None:
    assert read_pack(ws, made, study_file(tmp_path / "study.yaml")).study == STUDY
    ws.bank.record_study(STUDY, STUDY.digest(MODEL), MODEL)
    assert read_pack(ws, made).study == STUDY


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"answer": {"type": "choice", "labels": ["positive", "neutral"]}}, "other-classes"),
        ({"answer": {"type": "choice", "labels": ["positive", "negative", "neutral"]}}, "other-classes"),
        ({"fields": ["text", "title"]}, "other-study"),
        ({"rounds": {"count": 9}}, "other-study"),
    ],
)
def test_a_pack_of_another_study_or_class_set_is_refused(
    ws: Workspace, made: Path, tmp_path: Path, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(ExportError, check=coded(code)):
        read_pack(ws, made, study_file(tmp_path / "study.yaml", **change))


def test_a_pack_of_another_model_is_refused_and_nothing_is_fetched_for_it(ws: Workspace, folder: Path) -> None:
    info = ScriptedModel().info
    found = read_pack(ws, folder)
    for other in (replace(info, digest="sha256:" + "0" * 64), replace(info, width=info.width + 1)):
        with pytest.raises(ModelMismatch):
            found.check_model(other)
    plain = prompts_made()[0]
    templates = pack_made(
        model="sha256:" + "1" * 64,
        model_name="somebody/their-model",
        members=(Member(prompt=plain.id, kind="template", weight=1.0, sites=4),),
    )
    other_path = folder.with_name("other")
    write_pack(other_path, templates, exported((plain,)), ExportContext(None, "x", templates.model))
    with pytest.raises(ExportError, check=coded("other-model")):
        read_pack(ws, other_path)
    known = open_pack(other_path)
    with pytest.raises(ModelMismatch):
        known.check_model(info)


def _weights(body: dict[str, Any]) -> None:
    body["members"][0]["weight"] = 0.6


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "weights above one": _weights,
    "a weight below zero": lambda body: body["members"][0].update(weight=-0.5),
    "a kind that is none": lambda body: body["members"][0].update(kind="hub"),
    "a group of two": lambda body: body["members"][1].update(sites=2),
    "more sites than donors": lambda body: body["members"][0].update(sites=5),
    "a member twice": lambda body: body["members"].append(body["members"][0]),
    "no member": lambda body: body.update(members=[]),
    "65 members": lambda body: body.update(members=[{**body["members"][0], "weight": 1 / 65}] * 65),
    "a variance below zero": lambda body: body["members"][1].update(between=-1),
    "a mean beyond any": lambda body: body["members"][1].update(mean=1e9),
    "an unknown field": lambda body: body.update(call="home"),
    "a newer form": lambda body: body.update(fedprompt="pack 2"),
    "no settings": lambda body: body["settings"].update(at=[]),
    "a precision out of range": lambda body: body["settings"]["at"][0].update(precision=1e12),
    "a pull below zero": lambda body: body["settings"]["at"][0].update(pull=-1),
    "too many steps": lambda body: body["settings"]["at"][0].update(steps=10**6),
    "an unknown method": lambda body: body["settings"]["at"][0].update(method="exec"),
    "numbers of cases that fall": lambda body: body["settings"]["at"].reverse(),
    "a temperature of zero": lambda body: body["calibration"].update(temperature=0),
    "a temperature above the highest": lambda body: body["calibration"].update(temperature=20.5),
    "a bias for no label": lambda body: body["calibration"].update(bias=[0.1]),
    "a bias beyond any": lambda body: body["calibration"].update(bias=[50.5, 0]),
    "shares above one": lambda body: body.update(shares=[0.9, 0.9]),
    "three shares": lambda body: body.update(shares=[0.5, 0.25, 0.25]),
    "a curve that falls": lambda body: body.update(curve=body["curve"] * 2),
    "a part above one": lambda body: body["curve"][0].update(shared=1.5),
    "a label twice": lambda body: body.update(labels=["positive", "positive"]),
    "an empty label": lambda body: body.update(labels=["positive", ""]),
    "one label": lambda body: body.update(labels=["positive"]),
    "257 labels": lambda body: body.update(labels=[str(number) for number in range(257)]),
    "a study that climbs": lambda body: body.update(study="../../etc"),
    "a number as text": lambda body: body.update(donors="4"),
    "no digest": lambda body: body.update(digest="s1:x"),
}


def _headed(body: dict[str, Any], **changes: Any) -> None:
    """Give the pack a head with half of the whole, some of it changed."""
    for member in body["members"]:
        member["weight"] /= 2
    head = small_head().body().model_dump(mode="json")
    known = {"head": {**head, **changes.pop("head", {})}, "weight": 0.5, "sites": 4}
    body["head"] = {**known, **changes}


def _numbers(value: float, rows: int) -> str:
    return base64.b64encode(np.full((rows, 3), value, "<f4").tobytes()).decode()


HEADS: dict[str, dict[str, Any]] = {
    "a head that is not a number": {"head": {"weights": _numbers(np.nan, 2)}},
    "an infinite head": {"head": {"weights": _numbers(np.inf, 2)}},
    "a head of another shape": {"head": {"weights": _numbers(1, 3)}},
    "a head that is too long": {"head": {"weights": _numbers(1e5, 2)}},
    "directions of no length": {"head": {"directions": _numbers(0, 4)}},
    "fewer directions than it says": {"head": {"many": 2}},
    "no base64": {"head": {"weights": "not base64!"}},
    "another encoder": {"head": {"encoder": "sha256:" + "0" * 64}},
    "other labels": {"head": {"labels": ["negative", "positive"]}},
    "other fields": {"head": {"fields": ["title"]}},
    "a head of two donors": {"sites": 2},
    "a head of more donors than there are": {"sites": 5},
    "a head that counts too much": {"weight": 0.75},
    "a field that no head has": {"run": "home"},
}


@pytest.mark.parametrize("changes", HEADS.values(), ids=HEADS.keys())
def test_a_head_that_cannot_be_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match=r"pack\.json", check=coded("not-well-formed")):
        open_pack(changed(folder, lambda body: _headed(body, **changes)))


def test_a_head_comes_with_the_pack_and_has_its_share(folder: Path) -> None:
    before = open_pack(folder).pack
    pack = open_pack(changed(folder, _headed)).pack
    assert pack.head is not None and pack.head.made == small_head() and pack.weights[-1] == 0.5
    assert pack.shares_of_members == pytest.approx(before.weights) and pack.id != before.id
    assert "head" not in before.model_dump(mode="json")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_number_out_of_its_bounds_is_refused(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(ExportError, match=r"pack\.json", check=coded("not-well-formed")):
        open_pack(changed(folder, change))


def test_not_a_number_and_infinity_are_refused(folder: Path) -> None:
    text = (folder / "pack.json").read_text()
    for word in ("NaN", "Infinity", "-Infinity", "1e999"):
        (folder / "pack.json").write_text(text.replace('"temperature": 1.5', f'"temperature": {word}'))
        with pytest.raises(ExportError, check=coded("not-well-formed")):
            open_pack(folder)


def test_a_member_must_be_there_and_be_what_it_is_called(folder: Path) -> None:
    text = (folder / "pack.json").read_text()
    cases: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
        (lambda body: body["members"][0].update(prompt="p1:" + "0" * 32), "member-missing"),
        (lambda body: body["members"][0].update(kind="template"), "not-well-formed"),
        (lambda body: body["members"][2].update(kind="donor"), "not-well-formed"),
        (lambda body: body.update(labels=["good", "bad"]), "word-without-label"),
        (lambda body: body.update(fields=["title"]), "unknown-field"),
        (lambda body: body.update(model="sha256:" + "2" * 64), "another-model"),
    ]
    for change, code in cases:
        (folder / "pack.json").write_text(text)
        with pytest.raises(ExportError, check=coded(code)):
            open_pack(changed(folder, change))


def with_vectors(path: Path, vectors: np.ndarray, model: str = MODEL) -> Path:
    """Write a pack of one soft prompt."""
    prompt = Prompt(STUDY.soft_template(), SoftPrompt(vectors, model))
    pack = pack_made(members=(Member(prompt=prompt.id, kind="federated", weight=1.0, sites=4),))
    return write_pack(path, pack, exported((prompt,)), ExportContext(None, NAME, MODEL))


def test_a_vector_that_is_too_long_of_another_width_or_another_model_is_refused(tmp_path: Path) -> None:
    width = ScriptedModel().info.width
    with pytest.raises(ExportError, check=coded("out-of-range")):
        with_vectors(tmp_path / "long", np.full((2, width), 1e6, np.float32))
    with pytest.raises(ExportError, check=coded("another-model")):
        with_vectors(tmp_path / "other", np.ones((2, width), np.float32), "sha256:" + "3" * 64)
    wide = open_pack(with_vectors(tmp_path / "wide", np.ones((2, width + 1), np.float32)))
    with pytest.raises(ModelMismatch, check=coded("another-width")):
        wide.check_model(ScriptedModel().info)
    one, two = (
        Prompt(STUDY.soft_template(), SoftPrompt(np.ones((2, wide), np.float32), MODEL)) for wide in (width, width + 1)
    )
    both = tuple(Member(prompt=prompt.id, kind="federated", weight=0.5, sites=4) for prompt in (one, two))
    with pytest.raises(ExportError, check=coded("wrong-shape")):
        write_pack(tmp_path / "both", pack_made(members=both), exported((one, two)), ExportContext(None, NAME, MODEL))


def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "pack.zip")
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.startswith("bundle/soft/"))
        hashes = json.loads(archive.read("bundle/hashes.json"))
    import hashlib

    for number in (np.nan, np.inf):
        odd = save_tensor("vectors", np.full((2, ScriptedModel().info.width), number, np.float32))
        hashes["files"][name.removeprefix("bundle/")] = hashlib.sha256(odd).hexdigest()
        files = {name: odd, "bundle/hashes.json": json.dumps(hashes).encode()}
        with pytest.raises(ExportError, check=coded("not-finite")):
            open_pack(rewritten(path, files))


def test_a_site_s_own_demonstrations_cannot_be_shared(tmp_path: Path) -> None:
    from fedprompt.prompts.template import Demonstrations

    shots = Prompt(Template("shots", text="{demonstrations}{text}", demonstrations=Demonstrations(2)))
    pack = pack_made(members=(Member(prompt=shots.id, kind="template", weight=1.0),))
    with pytest.raises(ExportError, check=coded("sites-demonstrations")):
        write_pack(tmp_path / "pack", pack, exported((shots,)), ExportContext(None, NAME, MODEL))


def test_files_that_do_not_belong_to_it_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "pack.zip")
    held = path.read_bytes()
    cases: list[tuple[dict[str, bytes | None], str]] = [
        ({"notes.txt": b"x"}, "stray-file"),
        ({"bundle/notes.txt": b"x"}, "stray-file"),
        ({"bundle/model.pkl": b"x"}, "pickle"),
        ({"../pack.json": b"x"}, "outside-folder"),
        ({"pack.json": None}, "not-a-pack"),
        ({"bundle/bank.json": None}, "file-missing"),
        ({"pack.json": b"{" * 100_000}, "not-well-formed"),
        ({"pack.json": b" " * 600_000}, "too-large"),
        ({"pack.json": b'{"members": [' + b"{}," * 100_000 + b"{}]}"}, "not-well-formed"),
    ]
    for files, code in cases:
        path.write_bytes(held)
        with pytest.raises(ExportError, check=coded(code)):
            open_pack(rewritten(path, files))


def test_a_prompt_that_is_no_member_is_refused(tmp_path: Path) -> None:
    plain = prompts_made()[0]
    pack = pack_made(members=(Member(prompt=plain.id, kind="template", weight=1.0, sites=4),))
    path = write_pack(tmp_path / "pack", pack, exported(), ExportContext(None, NAME, MODEL))
    with pytest.raises(ExportError, check=coded("stray-file")):
        open_pack(path)


def test_what_unpacks_to_far_more_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path / "pack.zip")
    bomb = {"bundle/soft/p1-" + "0" * 32 + ".safetensors": bytes(50 * 1024 * 1024)}
    with pytest.raises(ExportError, check=coded("unpacks-too-large")):
        open_pack(rewritten(path, bomb, packed=zipfile.ZIP_DEFLATED))
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    with pytest.raises(ExportError, check=coded("too-large")):
        open_pack(large)


def test_what_is_no_pack_is_said(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "notes.zip").write_text("these are my notes")
    for reference, code in (
        (tmp_path / "none.zip", "no-such-pack"),
        ("sentiment", "no-such-pack"),
        ("public:nothing", "no-such-pack"),
        (tmp_path / "notes.zip", "not-a-zip"),
        ("", "not-a-pack"),
        ("~nobody-of-this-name/pack.zip", "not-a-file-name"),
        ("a\0b", "not-a-file-name"),
        ("public:../pack", "no-such-pack"),
        ("../../packs/sentiment@meadow", "no-such-pack"),
        ("x" * 5000, "cannot-read"),
    ):
        with pytest.raises(ExportError, check=coded(code)):
            read_pack(ws, reference)


def test_a_kept_pack_is_found_by_its_study_and_where_two_have_it_by_both_names(ws: Workspace, tmp_path: Path) -> None:
    data = write(tmp_path / "pack.zip").read_bytes()
    assert keep_pack(ws.home, data, study="sentiment", federation="meadow") == "sentiment"
    assert read_pack(ws, "sentiment").pack == pack_made()
    keep_pack(ws.home, data, study="sentiment", federation="forest")
    with pytest.raises(ExportError, check=coded("several-packs")):
        read_pack(ws, "sentiment")
    assert read_pack(ws, "sentiment@forest").pack == pack_made()


def test_a_superseded_pack_is_refused_also_where_it_was_taken_out_of_its_release(ws: Workspace, made: Path) -> None:
    supersede(ws.home, [pack_made().id], federation="meadow", number=7)
    with pytest.raises(ExportError, match="7", check=coded("superseded")):
        read_pack(ws, made)
    supersede(ws.home, [pack_made().id], federation="meadow", number=8)
    with pytest.raises(ExportError, match="7", check=coded("superseded")):
        read_pack(ws, made)


def test_no_federation_supersedes_anothers_pack(ws: Workspace) -> None:
    supersede(ws.home, [pack_made().id], federation="meadow", number=7)
    assert superseded_by(ws.home, pack_made().id, "forest") is None
    supersede(ws.home, [pack_made().id], federation="forest", number=3)
    numbers = [superseded_by(ws.home, pack_made().id, name) for name in ("meadow", "forest", None)]
    assert [found.number for found in numbers if found is not None] == [7, 3, 7]


@given(data=st.data())
def test_a_pack_with_any_value_exchanged_is_the_same_or_refused_in_a_sentence(made: Path, data: st.DataObject) -> None:
    body = json.loads((made / "pack.json").read_text(encoding="utf-8"))
    place: Any = body
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    odd = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just([]), st.just({})
    )
    place[key] = data.draw(odd)
    folder = made.with_name("mutated")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    (folder / "pack.json").write_text(json.dumps(body), encoding="utf-8")
    try:
        found = open_pack(folder)
    except FedPromptError as error:
        assert error.code != "failed" and "Traceback" not in str(error) and len(str(error)) < 600
    else:
        assert sum(found.pack.weights) == pytest.approx(1) and len(found.members) == len(found.pack.members)
