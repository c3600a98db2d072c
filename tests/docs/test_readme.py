"""The README's lines for plain transformers compute what fedprompt computes, and its links lead somewhere."""

import contextlib
import io
import re
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest

from fedprompt.exports.protocol import ExportContext, Exported, Reading
from fedprompt.exports.reading import HOW_CHOICE
from fedprompt.exports.vectors.any_slot import AnySlot
from fedprompt.models.hf.digest import model_digest
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery, RunSettings
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from tests.exports.conftest import WIDTH, save_tiny_model

ROOT = Path(__file__).parents[2]
WORDS = {"positive": " good", "negative": " rather bad"}
TEXTS = ("a good film, warm and slow", "too long <fp-0> {text} 🙂")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def readme_lines() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- any-slot: begin.*?-->\n```python\n(.*?)```\n<!-- any-slot: end -->", text, re.S)
    return str(code)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("readme") / "tiny", bos=True)


@pytest.fixture(scope="module")
def prompt(model_folder: Path) -> Prompt:
    vectors = np.random.default_rng(3).normal(size=(4, WIDTH)).astype(np.float32)
    template = Template("tuned", text="Review: {text}{soft}\nSo:", words=WORDS)
    return Prompt(template, SoftPrompt(vectors, model_digest(model_folder)))


@pytest.fixture(scope="module")
def export(model_folder: Path, prompt: Prompt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert prompt.soft is not None
    item = Exported(prompt, "tuned", None, Reading(WORDS, HOW_CHOICE, "accuracy"))
    context = ExportContext(model_folder, "tiny", prompt.soft.model)
    return AnySlot().write([item], tmp_path_factory.mktemp("export") / "tuned", context)


@pytest.mark.parametrize("text", TEXTS)
def test_the_readmes_lines_give_fedprompts_probabilities(
    model_folder: Path, prompt: Prompt, export: Path, text: str
) -> None:
    model = HFModel.load(model_folder, name="tiny", settings=RunSettings("float32", 1))
    query = ChoiceQuery(prompt.template.render({"text": text}), tuple(WORDS.values()), prompt.soft)
    (sums,) = model.choices([query]).loglikelihoods
    shares = np.exp(sums - sums.max())
    wanted = dict(zip(WORDS, (shares / shares.sum()).tolist(), strict=True))
    given = f"folder, case = {str(export)!r}, {{'text': {text!r}}}"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(re.sub(r"^folder, case = .*$", lambda _: given, readme_lines(), flags=re.M), {})
    assert literal_eval(printed.getvalue()) == pytest.approx(wanted, abs=1e-4)


def test_the_lines_are_those_of_an_exports_own_readme(export: Path) -> None:
    (own,) = re.findall(r"```python\n(.*?)```", (export / "README.md").read_text(encoding="utf-8"), re.S)
    filled = re.compile(r"^folder, case = .*$", re.M)
    assert filled.sub("", own) == filled.sub("", readme_lines())


def test_the_lines_are_ten_and_import_no_fedprompt() -> None:
    assert len(readme_lines().splitlines()) == 10
    assert "fedprompt" not in readme_lines()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    near = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert [target for target in near if not (document.parent / target).exists()] == []


def anchors(document: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = (re.sub(r"[^\w\- ]", "", one.lower()) for one in re.findall(r"^#+ (.+)$", text, flags=re.M))
    return {one.strip().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_to_a_part_of_a_page_leads_to_its_heading(document: Path) -> None:
    found = re.findall(r"\]\(([^)\s#:]*)#([^)\s]+)\)", document.read_text(encoding="utf-8"))
    pages = [((document.parent / near) if near else document, part) for near, part in found]
    assert [(page.name, part) for page, part in pages if page.suffix == ".md" and part not in anchors(page)] == []
