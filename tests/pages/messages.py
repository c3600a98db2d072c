"""What a page that runs without a server tells, by the name of each message, so that no test holds its words."""

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

__all__ = ["messages"]


def messages(at: AppTest) -> dict[str, str]:
    """Return name -> text, escapes of Markdown left out, of every message that is drawn with ``named``."""
    found = {}
    for block in (*at.sidebar, *at.main):
        name = str(block.key).removeprefix("told_") if isinstance(block, Block) and block.key else ""
        if name and block.key != name:
            words = [_words(node) for node in block if not isinstance(node, Block)]
            if words:
                found[name] = "\n".join(words).replace("\\", "").replace("\N{WORD JOINER}", "")
    return found


def _words(element: object) -> str:
    parts = (getattr(element, part, None) for part in ("label", "text", "value"))
    title = getattr(getattr(element, "proto", None), "title", "")
    return " ".join(str(part) for part in (title, *parts) if isinstance(part, str) and part)
