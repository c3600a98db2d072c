"""What is asked in each task: labels, templates, the soft slot and what it starts from."""

from typing import Any

from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.study.schema import Study

__all__ = ["shown_text", "study_of"]

TOKENS = 8

# task: labels, what the text is called, the soft slot's first text, templates behind the text
_TASKS: dict[str, tuple[tuple[str, ...], str, str, tuple[str, ...]]] = {
    "trec": (
        ("description", "thing", "person", "place", "number"),
        "Question",
        " The answer to this question is the name of a",
        (
            "\nType of answer:",
            " The answer is a",
            "\nThis question asks for a",
            "\nIs the answer a description, thing, person, place or number? Answer: a",
        ),
    ),
    "news": (
        ("computers", "recreation", "science", "sale", "politics", "religion"),
        "Message",
        " Overall, the topic of this message is",
        (
            "\nTopic:",
            "\nThis message is about",
            "\nThe message was posted in a group about",
            "\nIs this about computers, recreation, science, sale, politics or religion? Answer:",
        ),
    ),
    "r8": (
        ("acquisition", "oil", "earnings", "grain", "interest", "currency", "shipping", "trade"),
        "News",
        " Overall, the topic of this news is",
        (
            "\nTopic:",
            "\nThis news is about",
            "\nThe news agency filed this under",
            "\nIs this about acquisition, oil, earnings, grain, interest, currency, shipping or trade? Answer:",
        ),
    ),
    "sentiment": (
        ("positive", "negative"),
        "Review",
        " Overall, the feeling expressed here is clearly",
        (
            "\nSentiment:",
            "\nThe feeling expressed here is",
            "\nThe author's opinion is",
            "\nIs this positive or negative? Answer:",
        ),
    ),
}


def study_of(task: str) -> Study:
    """Return the study of a task: all templates have the text first, so that it is read once."""
    labels, called, init, behind = _TASKS[task]
    templates: list[dict[str, Any]] = [
        {"name": f"t{number}", "text": f"{called}: {{text}}{text}"} for number, text in enumerate(behind)
    ]
    return Study.model_validate(
        {
            "study": task,
            "model": DEFAULT_MODEL,
            "fields": ["text"],
            "metric": "accuracy",
            "answer": {"type": "choice", "labels": list(labels)},
            "templates": templates,
            "soft": {"template": f"{called}: {{text}}{{soft}}", "tokens": TOKENS, "init": init},
        }
    )


def shown_text(task: str) -> str:
    """Return what a labelled case is shown as, the answer's place last."""
    _, called, _, behind = _TASKS[task]
    return f"{called}: {{text}}{behind[0]}"
