"""The one reader of YAML that was written elsewhere: studies, other tools' prompts, their front matter, requests.

Invariant: what is refused is refused after a bounded number of parts, whatever the size of the text: parts, depth and
numbers are bounded while the text is read, no tag makes an object, and a key that is given twice is never dropped in
silence. Each value keeps its line and how it is written, so that an author is told of ``NO`` and not of ``False``.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import yaml

from fedprompt.study.yaml_advice import advice

__all__ = ["MAX_DEPTH", "MAX_NUMBER", "MAX_PARTS", "Document", "Kind", "Node", "YamlProblem", "read_yaml"]

MAX_PARTS = 100_000
MAX_DEPTH = 64
MAX_NUMBER = 36
SHOWN = 60
LONG = 1000  # a bare text of this length is no date and no word for yes; YAML's own patterns are not put to it
Kind = Literal["text", "number", "truth", "date", "nothing", "list", "mapping"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, faster, where PyYAML has it
_events: Any = yaml.events  # their marks are typed as if there might be none
_TAG = "tag:yaml.org,2002:"
_KINDS: Mapping[str, Kind] = {
    "str": "text",
    "value": "text",  # a lone "=", of which YAML 1.1 would make something that no reader knows
    "int": "number",
    "float": "number",
    "bool": "truth",
    "timestamp": "date",
    "null": "nothing",
    "merge": "text",
}
_TEXT_TAGS = (f"{_TAG}str", "!")


class YamlProblem(Exception):
    """The text is refused at ``line`` (from 1), at the ``place`` of its keys; whoever reads it names the file."""

    def __init__(self, line: int, reason: str, place: Sequence[str | int] = ()) -> None:
        super().__init__(reason)
        self.line, self.reason, self.place = line, reason, tuple(place)


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place: ``entries`` are a mapping's keys and values, ``items`` a list's; ``quoted``: not bare."""

    kind: Kind
    value: Any = field(repr=False)
    line: int
    begin: int
    end: int
    quoted: bool = False
    entries: tuple[tuple["Node", "Node"], ...] = field(default=(), repr=False)
    items: tuple["Node", ...] = field(default=(), repr=False)
    size: int = 1
    height: int = 0

    def child(self, part: str | int) -> "tuple[int, Node] | None":
        """Return what lies under a key or a place, and the line where it begins; None where there is nothing."""
        if self.kind == "list" and isinstance(part, int) and 0 <= part < len(self.items):
            return self.items[part].line, self.items[part]
        return next(((key.line, value) for key, value in self.entries if key.value == part), None)


@dataclass(frozen=True)
class Document:
    """The value of a text, and the nodes that it was read from; ``root`` is None where the text is empty."""

    value: Any
    root: Node | None
    text: str = field(repr=False)

    def written(self, node: Node) -> str:
        """Return how a value stands in the text, its first line, cut if it is long."""
        first = self.text[node.begin : node.end].split("\n", 1)[0].strip()
        return first if len(first) <= SHOWN else f"{first[: SHOWN - 1]}…"

    def find(self, path: Sequence[str | int]) -> tuple[int, Node | None]:
        """Return the line of the deepest value along ``path`` that the text has, and the value if it is the last."""
        node, line = self.root, 1 if self.root is None else self.root.line
        for part in path:
            found = None if node is None else node.child(part)
            if found is None:
                return line, None
            line, node = found
        return line, node


def read_yaml(content: bytes | str, *, aliases: bool = False, max_parts: int = MAX_PARTS) -> Document:
    """Return the value of a YAML text.

    Args:
        content: the text; bytes are UTF-8, or UTF-16 with its mark.
        aliases: whether ``*name`` and ``<<`` are followed, what they repeat counted each time; refused otherwise.
        max_parts: keys, values and lists that it may have.

    Raises:
        YamlProblem: not text, not YAML, more than one document, or beyond the bounds.
    """
    text = _text(content)
    try:
        root = _Composer(text, aliases, max_parts).compose()
    except yaml.MarkedYAMLError as error:
        mark, context = error.problem_mark, error.context_mark
        line, begun = 0 if mark is None else mark.line, None if context is None else context.line
        raise YamlProblem(*advice(str(error.problem), text, line, begun)) from error
    except yaml.reader.ReaderError as error:
        # Where it is, libyaml says in bytes and Python's reader in characters; so the line is looked up.
        at = next((n for n, line in enumerate(text.split("\n"), 1) if _unreadable(line)), 1)
        raise YamlProblem(
            at, "not valid YAML (it has a character that cannot be printed); remove the character"
        ) from error
    except yaml.YAMLError as error:
        raise YamlProblem(1, "not valid YAML") from error
    return Document(None if root is None else root.value, root, text)


def _text(content: bytes | str) -> str:
    if isinstance(content, bytes):
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        try:
            content = content.decode("utf-16" if wide else "utf-8")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise YamlProblem(line, f"not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    content = content.removeprefix("\ufeff")
    try:
        content.encode()
    except UnicodeEncodeError as error:
        line = content[: error.start].count("\n") + 1
        raise YamlProblem(line, "has half of a surrogate pair, which is not Unicode text") from error
    return content


def _unreadable(line: str) -> bool:
    return yaml.reader.Reader.NON_PRINTABLE.search(line) is not None


@dataclass
class _Open:
    """A list or mapping that is being read."""

    kind: Literal["list", "mapping"]
    line: int
    begin: int
    anchor: str | None
    nodes: list[Node] = field(default_factory=list)
    seen: dict[Any, int] = field(default_factory=dict)  # a mapping's keys and their lines

    def place(self) -> str | int | None:
        """Return where the next part belongs."""
        if self.kind == "list":
            return len(self.nodes)
        return str(self.nodes[-1].value) if len(self.nodes) % 2 else None


class _Composer:
    """Makes nodes out of a parser's events, one after the other."""

    def __init__(self, text: str, aliases: bool, max_parts: int) -> None:
        self._text, self._aliases, self._max = text, aliases, max_parts
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._parts = 0
        self._resolver: Any = yaml.resolver.Resolver()
        self._maker: Any = yaml.constructor.SafeConstructor()

    def compose(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self._events():
            if isinstance(event, _events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a line '---' starts a second document; keep one document per file")
            found = self._node(event)
            if found is not None:
                anchor, node = found
                if anchor is not None:
                    self._anchors[anchor] = node
                if self._open:
                    self._add(node)
                else:
                    root = node
        return root

    def _events(self) -> Iterator[Any]:
        yield from yaml.parse(self._text, Loader=_Loader)

    def _node(self, event: Any) -> tuple[str | None, Node] | None:
        """Return the node that an event completes and its anchor, or None."""
        if isinstance(event, _events.NodeEvent):
            self._count(event, 1)
            if event.anchor is not None and not self._aliases:
                self._refuse_reference(event)
        if isinstance(event, _events.AliasEvent):
            return None, self._repeated(event)
        if isinstance(event, _events.ScalarEvent):
            return event.anchor, self._scalar(event)
        if isinstance(event, _events.CollectionStartEvent):
            kind: Literal["list", "mapping"] = "list" if isinstance(event, _events.SequenceStartEvent) else "mapping"
            if event.tag not in (None, "!", f"{_TAG}seq" if kind == "list" else f"{_TAG}map"):
                self._refuse_tag(event)
            if len(self._open) >= MAX_DEPTH:
                self._refuse(event, f"not valid YAML here (nested deeper than {MAX_DEPTH})")
            self._open.append(_Open(kind, event.start_mark.line + 1, event.start_mark.index, event.anchor))
        elif isinstance(event, _events.CollectionEndEvent):
            done = self._open.pop()
            return done.anchor, self._closed(done, event.end_mark.index)
        return None

    def _scalar(self, event: Any) -> Node:
        quoted = event.style not in (None, "")  # libyaml says "" of a bare one
        mark, end = event.start_mark, event.end_mark
        tag = event.tag
        if tag is None and not quoted and len(event.value) > LONG:
            tag = f"{_TAG}{'int' if re.fullmatch(r'[-+.:_0-9]+', event.value) else 'str'}"
        elif tag is None:
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, (not quoted, quoted))
        elif tag not in _TEXT_TAGS:
            self._refuse_tag(event)
        kind: Kind = "text" if tag == "!" else _KINDS[tag.removeprefix(_TAG)]
        value = event.value if kind == "text" else self._made(event, kind, tag)
        return Node(kind, value, mark.line + 1, mark.index, end.index, quoted)

    def _made(self, event: Any, kind: Kind, tag: str) -> Any:
        if kind == "number" and len(event.value) > MAX_NUMBER:
            self._refuse(
                event,
                f"a number has at most {MAX_NUMBER} characters here, but this one has {len(event.value):,}; "
                "put it in quotes if it is text",
            )
        try:
            return self._maker.yaml_constructors[tag](self._maker, yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError):
            self._refuse(event, f"{event.value[:SHOWN]} is not a valid {kind}; put it in quotes if it is text")

    def _repeated(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor) if self._aliases else None
        if node is None:
            self._refuse_reference(event)
        self._count(event, node.size)
        if len(self._open) + node.height > MAX_DEPTH:
            self._refuse(event, f"not valid YAML here (nested deeper than {MAX_DEPTH})")
        return node

    def _add(self, node: Node) -> None:
        above = self._open[-1]
        if above.kind == "mapping" and not len(above.nodes) % 2:
            if node.kind in ("list", "mapping"):
                self._refuse_at(node.line, "a list or a mapping cannot be a key; put the text in quotes")
            if node.value == "<<" and not node.quoted and not self._aliases:
                self._refuse_at(node.line, "'<<' (a YAML merge) is not supported here; write the keys out")
            known = (type(node.value), node.value)
            if known in above.seen and not (node.value == "<<" and not node.quoted):
                place = (*self._places(), str(node.value))
                reason = "is given twice; keep one of them"
                raise YamlProblem(node.line, f"{reason} (the first is in line {above.seen[known]})", place)
            above.seen[known] = node.line
        above.nodes.append(node)

    def _closed(self, done: _Open, end: int) -> Node:
        size = 1 + sum(node.size for node in done.nodes)
        height = 1 + max((node.height for node in done.nodes), default=0)
        if done.kind == "list":
            value = [node.value for node in done.nodes]
            return Node("list", value, done.line, done.begin, end, False, (), tuple(done.nodes), size, height)
        pairs = self._merged(list(zip(done.nodes[::2], done.nodes[1::2], strict=True)))
        made = {key.value: node.value for key, node in pairs}
        return Node("mapping", made, done.line, done.begin, end, False, tuple(pairs), (), size, height)

    def _merged(self, pairs: list[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
        """Return a mapping's pairs with those of ``<<`` put in where it has no such key itself."""
        if not any(key.value == "<<" and not key.quoted for key, _ in pairs):
            return pairs
        own = [(key, node) for key, node in pairs if key.quoted or key.value != "<<"]
        found = {key.value: (key, node) for key, node in own}
        for key, node in pairs:
            if not key.quoted and key.value == "<<":
                for source in node.items if node.kind == "list" else (node,):
                    if source.kind != "mapping":
                        self._refuse_at(key.line, "'<<' (a YAML merge) needs a mapping; write the keys out")
                    self._parts += source.size
                    for inner in source.entries:
                        found.setdefault(inner[0].value, inner)
        return list(found.values())

    def _count(self, event: Any, more: int) -> None:
        self._parts += more
        if self._parts > self._max:
            self._refuse(event, f"its YAML has more than {self._max:,} parts")

    def _places(self) -> tuple[str | int, ...]:
        return tuple(place for one in self._open if (place := one.place()) is not None)

    def _refuse_reference(self, event: Any) -> NoReturn:
        sign = "*" if isinstance(event, _events.AliasEvent) else "&"
        told = f"'{sign}{event.anchor[:SHOWN]}'"
        if self._aliases:
            self._refuse(event, f"{told} refers to itself or to nothing above it; put it in quotes if it is text")
        self._refuse(
            event,
            f"YAML aliases and anchors ({told}) are not supported here; write the text out, or put it in "
            "quotes if it is text",
        )

    def _refuse_tag(self, event: Any) -> NoReturn:
        tag = str(event.tag).replace(_TAG, "!!")[:SHOWN]
        self._refuse(event, f"not valid YAML here (the tag '{tag}'); put the value in quotes if it is text")

    def _refuse(self, event: Any, reason: str) -> NoReturn:
        self._refuse_at(event.start_mark.line + 1, reason)

    def _refuse_at(self, line: int, reason: str) -> NoReturn:
        raise YamlProblem(line, reason, self._places())
