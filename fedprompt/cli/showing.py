"""What commands print on stdout: one JSON object, or small tables for people."""

import json
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fedprompt.cli.streams import holds, is_utf8

if TYPE_CHECKING:
    from fedprompt.models.chat.cost import Cost
    from fedprompt.workspace.bills.judge_bill import Calls

__all__ = ["clean", "complain", "emit", "line", "money", "number", "percent", "show_calls", "table"]

WIDE = 120


def emit(value: Any) -> None:
    """Print one JSON value, in UTF-8, or in ASCII with escapes if stdout has another encoding."""
    from fedprompt.workspace.as_json import as_json

    value = as_json(value)
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    if not is_utf8(sys.stdout) or not holds(text, sys.stdout):
        text = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False, default=str)
    print(text)


def line(text: str = "") -> None:
    """Print a line of text. Control characters are shown as question marks."""
    print(clean(text))


def clean(text: str) -> str:
    """Return the text with every character that could steer a terminal as a question mark."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def complain(sentence: str) -> None:
    """Print an error on stderr in one line."""
    typer.echo(f"fedprompt: {clean(sentence)}", err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Print a table. Columns with numbers are right-aligned, except the first column."""
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        values = [row[place] for row in rows]
        numbers = bool(place) and all(isinstance(v, int | float) or _like_number(str(v)) for v in values)
        drawn.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_cell(str(cell))) for cell in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
    Console(file=sys.stdout, width=width, highlight=False).print(drawn)


def _cell(text: str) -> str:
    """Return a cell's text as stdout will show it, so that the columns fit."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    if holds(plain, sys.stdout):
        return plain
    encoding = sys.stdout.encoding
    return plain.encode(encoding, "backslashreplace").decode(encoding)


def percent(value: float | None) -> str:
    """Return a share as ``90.3 %``, a dash for no value."""
    return "-" if value is None else f"{100 * value:.1f} %"


def money(cost: "Cost | None") -> str:
    """Return what something costs, in its currency."""
    return "not known" if cost is None else f"{cost.amount:,.4f} {cost.currency}"


def number(low: float | None, high: float | None) -> str:
    """Return an interval of shares as ``(88.0 to 92.4)``, empty without one."""
    return "" if low is None or high is None else f"({100 * low:.1f} to {100 * high:.1f})"


def _like_number(text: str) -> bool:
    return not text or text == "-" or text.lstrip("(+-")[:1].isdigit()


def show_calls(judge: "Calls | None", most: str = "", who: str = "the judge") -> None:
    """Report the work of a judge (or ``who``). With ``most`` before each number, it is an upper bound."""
    from fedprompt.workspace.bills.judge_bill import told_calls
    from fedprompt.workspace.bills.paid import Paid

    if judge is None:
        return
    line(told_calls(judge, most, who))
    if isinstance(judge, Paid):  # before a run its notes are among the run's
        for note in judge.notes:
            line(f"{who}: {note}")
