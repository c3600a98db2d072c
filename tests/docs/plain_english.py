"""What plain English means to a machine: the turns that docs/style.md bans, and the length of sentences."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "docs" / "style.md"
MEDIAN, MOST = 15, 30  # words of a sentence
LEAST = 4  # a text of the program with fewer words is a label, a key or a name
ROW = re.compile(r"^\| (`.+`) \| (.+) \| .+ \|$", re.M)
CODE, LINK = re.compile(r"`[^`]*`"), re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
FILE = re.compile(r"\[\w[\w./-]*\.(?:md|py|yaml|toml)\]|\[\w+/[\w./]*\]")  # a link whose text is a path
SHORT = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|et al)\.")
END = re.compile(r"(?<=[.!?])[\"')*_”]*\s+(?=[\"'(*_“]*(?:[A-Z0-9]|fedprompt))|\s·\s")
ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
LISTING = re.compile(r"\s*(?:Arguments?|Options|JSON): ")  # of docs/commands.md: a table in a line
NOT_PROSE = re.compile(r"</|^\s*(?:<|\{\"|@|SELECT|:material)|[{};]\s*$|\w:\s*[\w#.-]+;|\n.*\n.*\{")


@cache
def banned() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return a pattern and what to write instead for each turn in the last table of docs/style.md."""
    table = STYLE.read_text(encoding="utf-8").partition("## Banned turns")[2]
    rows = ROW.findall(table)
    return tuple((pattern_of(turn), instead) for turns, instead in rows for turn in re.findall(r"`([^`]+)`", turns))


@cache
def any_turn() -> re.Pattern[str]:
    """Return one pattern for all turns, since most texts have none."""
    return re.compile("|".join(pattern.pattern for pattern, _ in banned()), re.I)


def pattern_of(turn: str) -> re.Pattern[str]:
    """Return the pattern of a turn: ``/`` between alternatives of one word, ``…`` for at most two words."""
    words = [r"(?:[\w'-]+\s+){0,2}" if word == "…" else rf"(?:{word.replace('/', '|')})\b\s*" for word in turn.split()]
    return re.compile(r"\b" + "".join(words), re.I)


def turns_in(text: str) -> list[str]:
    """Return each banned turn of a text, with what to write instead."""
    prose = CODE.sub(" X ", text)
    if not any_turn().search(prose):
        return []
    found = ((pattern.search(prose), instead) for pattern, instead in banned())
    return [f"'{match.group().strip()}', write: {instead}" for match, instead in found if match]


def sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph, without lists of code; a piece of code is one word, a link is its text."""
    text = SHORT.sub(r"\1", LINK.sub(r"\1", FILE.sub("[X]", CODE.sub("X", paragraph))))
    return [one for one in END.split(" ".join(text.split())) if 2 * code_in(one) < words(one)]


def code_in(sentence: str) -> int:
    """Return how many words of a sentence are code."""
    return sum(word.strip("()[]:;,.*") == "X" for word in sentence.split())


def words(sentence: str) -> int:
    """Return how many words a sentence has; a number is one, a sign between blanks is none."""
    return sum(any(letter.isalnum() for letter in word) for word in sentence.split())


def markdown(text: str) -> tuple[str, list[str]]:
    """Return what is prose in a page or a part of one, and its paragraphs; tables are in the former alone."""
    prose = re.sub(r"<!--.*?-->|^ *```.*?^ *```", "", text, flags=re.M | re.S)
    paragraphs = [""]
    for line in prose.splitlines():
        if not line.strip() or line.startswith(("#", "|", ">")) or ITEM.match(line):
            paragraphs.append("")
        if not line.startswith(("#", "|")):
            paragraphs[-1] += " " + ITEM.sub("", line, count=1)
    return prose, [one for one in paragraphs if one.strip() and not LISTING.match(one)]


def texts_of(source: str, *, docstrings: bool) -> Iterator[str]:
    """Yield the texts of a module that people read: strings with several words, and docstrings if they are help."""
    nodes = list(ast.walk(ast.parse(source)))
    inside: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                inside.add(id(first.value))
                if docstrings and isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield str(first.value.value).partition("\n\n    Raises:")[0]
        elif isinstance(node, ast.JoinedStr):
            inside.update(id(part) for part in ast.walk(node))
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def faults(prose: str, paragraphs: list[str]) -> list[str]:
    """Return what is not plain in a text: banned turns, sentences that are too long, a median that is too high."""
    found = [sentence for paragraph in paragraphs for sentence in sentences(paragraph)]
    lengths = [words(one) for one in found]
    long = [f"{count} words: {one[:90]}" for one, count in zip(found, lengths, strict=True) if count > MOST]
    middle = median(lengths) if lengths else 0
    return turns_in(prose) + long + ([f"the median is {middle:g} words"] if middle > MEDIAN else [])


def program_texts(path: Path) -> list[str]:
    """Return the texts of a module that are prose; the docstrings of the command line are its help."""
    found = texts_of(path.read_text(encoding="utf-8"), docstrings="cli" in path.parts)
    prose = (one for one in found if len(re.findall(r"[A-Za-z]{2,}", one)) >= LEAST and not NOT_PROSE.search(one))
    return [one for one in prose if words(one) <= MOST or re.search(r"[.,:;]", one)]  # else a list of words
