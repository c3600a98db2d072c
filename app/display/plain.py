"""Text that people or files gave, made safe to draw: markup in it stays text, and no address in it becomes a link."""

import re

from fedprompt.workspace.results.points import points as rate_points

__all__ = ["between", "capital", "label", "percent", "plain", "points", "seconds", "sentence"]

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-!|~<>$:&])")
# What Markdown acts on inside a label: most punctuation of an ordinary name is not among it.
_IN_LABEL = re.compile(r"[\\`*\[\]~$]|<(?=[a-zA-Z!/?])|&(?=#?\w+;)|:(?=[a-z+-])|(?<![^\W_])_|_(?![^\W_])|^[#>+-]")
# Streamlit's Markdown makes links of bare addresses, escaped or not; an invisible word joiner keeps it from that.
_ADDRESS = re.compile(r"(?<=@)(?=[-\w]+\.)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
_JOINER = "\N{WORD JOINER}"


def plain(text: str) -> str:
    """Return the text with everything escaped that Markdown would act on."""
    return _MARKUP.sub(r"\\\1", _ADDRESS.sub(_JOINER, text))


def label(text: str) -> str:
    """Return the text for the label of a control, which screen readers read out with every backslash that is in it.

    Only what Markdown would act on there is escaped, so that a name such as ``tickets-300_new.csv`` stays as it is.
    """
    return _IN_LABEL.sub(r"\\\g<0>", _ADDRESS.sub(_JOINER, " ".join(text.split())))


def capital(text: str) -> str:
    """Return the text with a capital letter, unless it begins with a name such as ``mine.csv``."""
    return text[0].upper() + text[1:] if re.match(r"[a-z]+[ ,]", text) else text


def sentence(text: str) -> str:
    """Return a message as a sentence: a capital letter unless it begins with a name, and a full stop."""
    text = capital(text.strip())
    return text if text[-1:] in ".!?…" else text + "."


def percent(value: float | None) -> str:
    """Return a share in [0, 1] as people read it, with one decimal."""
    return "not measured" if value is None else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def between(low: float, high: float) -> str:
    """Return an interval of shares in [0, 1], in per cent without the sign."""
    return f"{100 * low:.1f} \N{EN DASH} {100 * high:.1f}"


def points(value: float) -> str:
    """Return a difference in percentage points with its sign (a true minus)."""
    return rate_points(value / 100, signed=True)


def seconds(left: float) -> str:
    """Return a time to wait, no more exact than it is known."""
    if left < 10:
        return "a few seconds left"
    if left < 90:
        return f"about {round(left / 10) * 10:.0f} s left"
    return f"about {max(2, round(left / 60)):.0f} min left"
