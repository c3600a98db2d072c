"""Search finds what an exact search finds, within any filter, and follows the bank wherever it goes."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedprompt.bank.filters import Filter
from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.study.score import Score
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.search.searching import families, search
from fedprompt.workspace.shelf.events import retire, tag
from fedprompt.workspace.workspace import Workspace
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole

MODEL, OTHER_MODEL = "sha256:" + "a" * 64, "sha256:" + "b" * 64
TEXTS = (
    "say the mood of it: {text}",
    "say the mood of that: {text}",
    "translate this into French: {text}",
    "translate this into good French: {text}",
)


class Words:
    """An encoder whose vectors are sums over words, so that texts with the same words are near."""

    width = 32

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        found = np.stack([np.sum([_vector(word) for word in text.replace(":", "").split()], axis=0) for text in texts])
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


class OtherWords(Words):
    """Another encoder of the same width."""


def _vector(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(Words.width)


def _soft(name: str, vectors: NDArray[np.float32], model: str = MODEL) -> Prompt:
    return Prompt(Template(name, text=f"{name} {{text}}{{soft}}"), SoftPrompt(vectors, model))


@pytest.fixture
def study() -> Study:
    answer = Answer(type="choice", labels=("positive", "negative"))
    spec = TemplateSpec(name="plain", text=TEXTS[0])
    return Study(study="mood", fields=("text",), answer=answer, templates=(spec,))


@pytest.fixture
def digest(study: Study) -> str:
    return study.digest(MODEL)


@pytest.fixture
def ws(tmp_path: Path, study: Study, digest: str) -> Iterator[Workspace]:
    """Yield a workspace with four templates; the first two are of a study, and were scored at two sites."""
    with new_workspace(tmp_path / "home") as opened:
        opened.bank.record_study(study, digest, MODEL)
        opened.bank.start_run("r", kind="demo", study=digest, settings={})
        for number, text in enumerate(TEXTS):
            prompt = Prompt(Template(f"t{number}", text=text))
            opened.bank.record_prompt(prompt, study=digest if number < 2 else None, origin="study")
            if number < 2:
                score = Score(
                    prompt=prompt.id,
                    split="validation",
                    metric="accuracy",
                    n=10,
                    total=9 - 4 * number,
                    squares=1,
                    groups=10,
                    group_squares=1,
                )
                for site in "ab":
                    opened.bank.record_scores("r", site, [score])
        yield opened


def _names(ws: Workspace, text: str, **wanted: object) -> list[str]:
    found = search(ws, text, wanted=Filter(**wanted), encoder=Words())  # type: ignore[arg-type]
    return [one.prompt.name for one in found]


def test_the_nearest_come_first_with_their_cosine(ws: Workspace) -> None:
    found = search(ws, TEXTS[2], limit=2, encoder=Words())
    assert [one.prompt.name for one in found] == ["t2", "t3"]
    assert found[0].similarity == pytest.approx(1.0, abs=1e-5) and found[1].similarity < 1
    exact = Words().encode(TEXTS) @ Words().encode([TEXTS[2]])[0]
    assert found[1].similarity == pytest.approx(np.sort(exact)[-2], abs=1e-5)


def test_like_a_prompt_leaves_the_prompt_itself_out(ws: Workspace) -> None:
    given = ws.bank.prompts()[0]
    tag(ws, given.id, "mood@production", by="")
    found = search(ws, like="mood@production", limit=1, encoder=Words())
    assert [one.prompt.name for one in found] == ["t1"]


def test_filters_hold_together_in_one_search(ws: Workspace, digest: str) -> None:
    first = ws.bank.prompts()[0]
    tag(ws, first.id, "mood@production", by="")
    now = datetime.now(UTC)
    for wanted, names in (
        ({"study": digest}, ["t1", "t0"]),
        ({"study": digest, "minimum": 0.8}, ["t0"]),
        ({"site": "a", "maximum": 0.6}, ["t1"]),
        ({"tag": "production"}, ["t0"]),
        ({"since": now}, []),
        ({"until": now, "words": "French"}, ["t3", "t2"]),
        ({"study": digest, "tag": "production", "site": "b", "kind": "template", "since": now - timedelta(1)}, ["t0"]),
        ({"kind": "soft"}, []),
    ):
        assert sorted(_names(ws, "say the mood", **wanted)) == sorted(names), wanted
    retire(ws, first.id, by="")
    assert _names(ws, "say the mood", study=digest) == ["t1"]
    assert sorted(_names(ws, "say the mood", study=digest, retired=True)) == ["t0", "t1"]


def test_a_study_in_the_filter_gives_the_scores(ws: Workspace, digest: str) -> None:
    found = search(ws, TEXTS[0], wanted=Filter(study=digest), encoder=Words())
    assert {one.prompt.name: one.mean for one in found} == {"t0": pytest.approx(0.9), "t1": pytest.approx(0.5)}


def test_soft_prompts_are_compared_within_their_model_whatever_their_length(ws: Workspace) -> None:
    base = np.random.default_rng(0).standard_normal((4, 8), dtype=np.float32)
    batch = {
        "given": _soft("given", base),
        "turned": _soft("turned", base[::-1].copy()),
        "longer": _soft("longer", np.concatenate([base, base[:1]])),
        "far": _soft("far", -base),
        "other": _soft("other", base, OTHER_MODEL),
    }
    ws.bank.record_prompts([(prompt, {}) for prompt in batch.values()], study=None, origin="federated")
    found = search(ws, like=batch["given"].id)
    assert [one.prompt.name for one in found] == ["turned", "longer", "far"]
    assert found[0].similarity == pytest.approx(1, abs=1e-6) and found[2].similarity == pytest.approx(-1, abs=1e-6)
    assert found[0].near_duplicates == (batch["given"].id,)


def test_only_what_came_since_is_encoded_and_another_process_reads_it_from_disk(ws: Workspace) -> None:
    first = Words()
    search(ws, "x y", encoder=first)
    assert first.seen == [*TEXTS, "x y"]
    ws.bank.record_prompt(Prompt(Template("new", text="x y {text}")), study=None, origin="import")
    second = Words()
    assert search(ws, "x y", limit=1, encoder=second)[0].prompt.name == "new"
    assert second.seen == ["x y {text}", "x y"]
    _forget()
    third = Words()
    assert search(ws, "x y", limit=1, encoder=third)[0].prompt.name == "new"
    assert third.seen == ["x y"]


def test_a_soft_prompts_template_is_encoded_once_for_all_its_rounds(ws: Workspace) -> None:
    template = Template("tuned", text="tuned {text}{soft}")
    for number in range(3):
        vectors = np.full((2, 3), number, np.float32)
        ws.bank.record_prompt(Prompt(template, SoftPrompt(vectors, MODEL)), study=None, origin="federated")
    encoder = Words()
    search(ws, "x", encoder=encoder)
    assert encoder.seen.count("tuned {text}{soft}") == 1


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "no manifest", "not JSON", "other version"])
def test_a_damaged_index_is_made_anew(ws: Workspace, damage: str) -> None:
    expected = _names(ws, "say the mood")
    folder = ws.home.path / "index" / "texts"
    (segment,), manifest = folder.glob("*.safetensors"), folder / "manifest.json"
    data = segment.read_bytes()
    if damage == "cut":
        segment.write_bytes(data[:-7])
    elif damage == "flip":
        segment.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "missing":
        segment.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "not JSON":
        manifest.write_text("{")
    else:
        manifest.write_text(manifest.read_text().replace('"version":1', '"version":2'))
    _forget()
    encoder = Words()
    assert [one.prompt.name for one in search(ws, "say the mood", encoder=encoder)] == expected
    assert len(encoder.seen) == len(TEXTS) + 1
    assert folder.stat().st_mode & 0o777 == 0o700 and manifest.stat().st_mode & 0o777 == 0o600


def test_another_encoder_makes_another_index(ws: Workspace) -> None:
    _names(ws, "say the mood")
    _forget()
    other = OtherWords()
    search(ws, "x", encoder=other)
    assert len(other.seen) == len(TEXTS) + 1


def test_after_a_restore_nothing_is_found_that_is_not_there(ws: Workspace, tmp_path: Path) -> None:
    ws.bank.backup(tmp_path / "copy.db")
    ws.bank.record_prompt(Prompt(Template("new", text="x y {text}")), study=None, origin="import")
    assert "new" in _names(ws, "x y")
    ws.bank.restore(tmp_path / "copy.db")
    assert sorted(_names(ws, "x y")) == ["t0", "t1", "t2", "t3"]
    ws.bank.record_prompt(Prompt(Template("newer", text="y z {text}")), study=None, origin="import")
    assert _names(ws, "y z")[0] == "newer"


def test_families_are_the_clusters_and_each_has_its_best_member(ws: Workspace, digest: str) -> None:
    found = families(ws, 2, np.random.default_rng(0), encoder=Words())
    groups = [sorted(ws.bank.prompt_row(id).name for id in one.members) for one in found]
    assert sorted(groups) == [["t0", "t1"], ["t2", "t3"]]
    ids = {row.name: row.id for row in ws.bank.prompts()}
    (only,) = families(ws, 1, np.random.default_rng(0), wanted=Filter(study=digest), encoder=Words())
    assert only.best.id == ids["t0"] and only.mean == pytest.approx(0.9)
    assert families(ws, 3, np.random.default_rng(0), wanted=Filter(kind="soft"), encoder=Words()) == ()


def test_wrong_use_is_refused(ws: Workspace) -> None:
    for call in (
        lambda: search(ws, encoder=Words()),
        lambda: search(ws, "", encoder=Words()),
        lambda: search(ws, "x", like="y", encoder=Words()),
        lambda: search(ws, "x", limit=0, encoder=Words()),
        lambda: families(ws, 0, np.random.default_rng(0), encoder=Words()),
    ):
        with pytest.raises(FedPromptError):
            call()


def test_two_processes_that_make_the_homes_key_at_once_have_one(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "h") as ws:
        assert home_signer(ws.home).fingerprint == home_signer(ws.home).fingerprint
        assert [path.name for path in ws.home.path.glob("*home.key*")] == ["home.key"]


def _forget() -> None:
    """Forget what this process has in memory, as another process would."""
    from fedprompt.workspace.search import index

    index._open.clear()
