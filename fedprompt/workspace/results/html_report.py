"""A report that is one HTML file: nothing is loaded from elsewhere, no script runs, and every text is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Block", "Section", "Table", "html_report"]

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#1b2330;background:#fff}"
    "h1,h2{line-height:1.2}table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}"
    "th,td{border-bottom:1px solid #ccd3da;padding:.35rem .7rem;text-align:left;vertical-align:top}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f2f5f7;padding:.8rem;border-radius:.4rem}"
    ".small{color:#55606c;font-size:.9rem}"
    "@media (prefers-color-scheme:dark){body{color:#e4e9ee;background:#11171d}pre{background:#1c252d}"
    "th,td{border-color:#3a4650}.small{color:#a4b0bb}}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Table:
    """Rows of text under a ``head``."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Block:
    """A text that is shown as it is, under a name."""

    name: str
    text: str


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and what stands below them; ``note`` is said in small print."""

    heading: str
    sentences: Sequence[str] = ()
    parts: Sequence[Table | Block] = ()
    note: str = ""


def html_report(title: str, about: str, sections: Sequence[Section]) -> str:
    """Return the report as HTML; ``about`` stands below the title."""
    body = "".join(map(_section, sections))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f'<body><h1>{escape(title)}</h1>\n<p class="small">{escape(about)}</p>\n{body}</body></html>\n'
    )


def _section(section: Section) -> str:
    told = "".join(f"<p>{escape(one)}</p>\n" for one in section.sentences)
    parts = "".join(map(_part, section.parts))
    note = f'<p class="small">{escape(section.note)}</p>\n' if section.note else ""
    return f"<h2>{escape(section.heading)}</h2>\n{told}{parts}{note}"


def _part(part: Table | Block) -> str:
    if isinstance(part, Block):
        return f"<h3>{escape(part.name)}</h3>\n<pre>{escape(part.text)}</pre>\n"
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in part.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in part.rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>\n"
