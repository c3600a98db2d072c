"""The model card says what a reader needs before relying on a prompt, and the Hub's own class reads it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fedprompt.exports.card import card, public_model_name
from fedprompt.exports.protocol import ExportContext, Exported, Format, Snippet
from fedprompt.exports.reading import HOW_NESTED, how_to_read
from fedprompt.exports.texts.markdown import Markdown
from fedprompt.exports.vectors.any_slot import AnySlot
from fedprompt.exports.vectors.peft import Peft
from fedprompt.exports.vectors.vllm import Vllm
from fedprompt.models.protocols import Decoding
from fedprompt.study.schema import Answer

Make = Callable[..., Exported]


def test_the_card_says_for_what_on_whom_how_well_how_private_and_how_to_load(exported: Make) -> None:
    item = exported("{text}{soft}:", "sha256:m", name="tuned")
    reading = replace(item.reading, cases={"tweets": 120, "movies": 90})
    text = card(
        "A title",
        Snippet("bash", "load it", "Load it so."),
        [replace(item, reading=reading, origin="federated")],
        _context("sha256:m"),
    )
    for wanted in (
        "Load it so.",
        '"negative": " rather bad"',
        "Parser: likeliest-label. Decoding: method log-likelihood of each label word",
        "accuracy 0.850 (95 % interval 0.810 to 0.890) as the unweighted mean over 2 sites, on the test split",
        "| tweets | 0.900 | 120 |",
        "Study `sentiment`: from the fields `text`, one of `positive`, `negative`; metric accuracy.",
        "tuned in federated rounds",
        "8 steps of 16 cases at learning rate 0.01, up to 4 rounds of fedavg",
        "Its score comes from `movies`, `tweets`",
        "This export contains no case.",
        "min_cases 30",
        "claims no differential privacy",
        "`tiny`, digest `sha256:m`",
        "3 vectors of width 16",
    ):
        assert wanted in text


def test_the_default_models_card_warns_of_its_weights_and_says_how_to_fetch_them(exported: Make) -> None:
    context = ExportContext(None, "smollm2-135m-instruct", "sha256:m")
    text = card("x", Snippet("bash", "x"), [exported("{text}{soft}:", "sha256:m")], context)
    assert "Q4_1" in text
    assert "`fedprompt assets pull`" in text
    assert "original weights" in text


def test_the_hubs_class_loads_it_with_its_tags(exported: Make, nowhere: ExportContext, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    path = Markdown().write([exported(), exported("{text}{soft}", "m")], tmp_path / "README.md", nowhere)
    loaded = ModelCard.load(path)
    assert loaded.data.library_name == "fedprompt"
    assert loaded.data.tags == ["fedprompt", "prompt-template", "soft-prompt"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("smollm2-135m-instruct", "smollm2-135m-instruct"),
        ("org/model", "org/model"),
        ("/home/someone/models/tiny", "tiny"),
        ("~/models/tiny/", "tiny"),
        ("C:\\models\\tiny", "tiny"),
        ("../tiny", "tiny"),
    ],
)
def test_a_path_is_never_shown(name: str, shown: str) -> None:
    assert public_model_name(name) == shown


def test_how_an_answer_is_read_follows_the_study() -> None:
    choice = Answer(type="choice", labels=("a", "b"), normalise="tokens", prior="pmi")
    told = how_to_read((" a", " b"), choice)
    assert "Divide each word's sum by the number of its tokens" in told
    assert "after the template with empty fields" in told
    assert HOW_NESTED not in told and HOW_NESTED in how_to_read((" time off", " no", " time off status"), None)
    drawn = Answer.model_validate({"type": "generate", "scorers": ["exact"], "temperature": 0.7, "seed": 3})
    assert "temperature 0.7 and top_p 1 with seed 3" in how_to_read((), drawn)
    assert how_to_read((), drawn).endswith(r'"\n\n", if any, or after 64 tokens.')
    assert "greedily" in how_to_read((), None)


def _context(digest: str) -> ExportContext:
    return ExportContext(None, "tiny", digest)


@pytest.mark.parametrize("format", [AnySlot(), Peft(), Vllm()])
def test_an_export_whose_own_lines_read_answers_otherwise_says_so(exported: Make, format: Format) -> None:
    item = exported("{soft}{text}:", "m")
    assert format.drops(item) == ()
    (told,) = format.drops(replace(item, reading=replace(item.reading, normalise="tokens")))
    assert "normalises label likelihoods (tokens, prior none)" in told
    text = exported("{soft}{text}:", "m", words=None)
    assert format.drops(text) == ()
    (told,) = format.drops(replace(text, reading=replace(text.reading, writing=Decoding(temperature=0.5))))
    assert "temperature 0.5" in told
