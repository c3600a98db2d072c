"""Documentation, pages, commands and messages are in plain English, as docs/style.md has it."""

import re

import pytest

from tests.docs.plain_english import ROOT, banned, faults, markdown, pattern_of, program_texts, sentences, words

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "THIRD_PARTY_NOTICES.md",
    *(
        path.relative_to(ROOT).as_posix()
        for folder in ("docs", "docs/guides")
        for path in sorted((ROOT / folder).glob("*.md"))
    ),
]
MODULES = [
    path.relative_to(ROOT).as_posix()
    for room in ("app", "pages", "fedprompt")
    for path in sorted((ROOT / room).rglob("*.py"))
]


def read(name: str) -> str:
    """Return a document's text: the newest part of the changelog, the style guide without its bad examples."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name == "CHANGELOG.md":
        return "".join(text.partition("\n## ")[:2]) + text.partition("\n## ")[2].partition("\n## ")[0]
    if name == "docs/style.md":
        return re.sub(r"^\|.*$", "", text, flags=re.M)
    return text


def document_faults(name: str) -> list[str]:
    return faults(*markdown(read(name)))


def module_faults(name: str) -> list[str]:
    texts = program_texts(ROOT / name)
    return [one for text in texts for one in faults(text, text.split("\n\n")) if not one.startswith("the median")]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_plain(name: str) -> None:
    found = document_faults(name)
    assert not found, "\n".join([f"{name}: see docs/style.md", *found])


def test_the_texts_of_pages_commands_and_messages_are_plain() -> None:
    found = [f"{name}: {one}" for name in MODULES for one in module_faults(name)]
    assert not found, "\n".join(["see docs/style.md", *found])


def test_a_turn_is_found_in_every_spelling_of_its_pattern_and_nowhere_else() -> None:
    pattern = pattern_of("tell/told … apart")
    assert pattern.search("who can tell them apart?") and pattern.search("They were told\napart.")
    assert not pattern.search("the hotel is apart") and not pattern.search("told by three of the sites apart")
    assert len(banned()) > 25


def test_sentences_end_at_a_full_stop_and_not_in_a_number_or_a_piece_of_code() -> None:
    text = "It took 3.5 s (see `a. B`). The *rest* of [the table](x.md) is in `b.py`, e.g. Table 2. Done."
    assert [words(one) for one in sentences(text)] == [6, 11, 1]
