"""docs/errors.md lists every code that an error of the package can have, with its classes, and no other."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fedprompt.errors import SiteRefused
from fedprompt.verbs.refusals import REFUSALS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
# A helper of the errors' own shape, for what nobody raised on purpose.
ANY_ERROR = "Failure"
SHARED = "What several errors share"
# Only a module with this in its text is parsed: an assignment to ``code``, or an argument of that name.
GIVES_CODE = re.compile(r"\bcode\s*[:=]")
CLASS = re.compile(r"\bclass (\w+)\(([^)]*)\)")
NAME = re.compile(r"(?<![\w.])\w+(?![\w.=])")
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def sources() -> list[str]:
    rooms = ("fedprompt", "app", "pages")
    return [path.read_text(encoding="utf-8") for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def error_classes(texts: list[str]) -> set[str]:
    """Return the names of the errors: ``FedPromptError`` and what derives from it."""
    bases = {name: set(NAME.findall(of)) for text in texts for name, of in CLASS.findall(text)}
    found = {"FedPromptError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and value of each assignment to a plain name."""
    for line in body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, line.value
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
            yield line.target.id, line.value


def texts(value: ast.expr, tables: dict[str, ast.Dict]) -> Iterator[str]:
    """Yield the codes that are written out in an expression, or in a table ``CODES`` of the module that it reads."""
    if isinstance(value, ast.IfExp):
        yield from texts(value.body, tables)
        yield from texts(value.orelse, tables)
        return
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name) and node.id in tables:
            for one in tables[node.id].values:
                yield from texts(one, {})


def codes_given() -> dict[str, set[str]]:
    """Return code -> the classes of the errors that have it."""
    written = sources()
    errors = error_classes(written) | {ANY_ERROR}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for tree in (ast.parse(text) for text in written if GIVES_CODE.search(text)):
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Call))]
        tables = {name: value for name, value in assigned(tree.body) if name == "CODES" and isinstance(value, ast.Dict)}
        makers = {name: name for name in errors}  # what makes an error -> its class
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name) and node.returns.id in errors:
                makers[node.name] = node.returns.id
        for node in nodes:
            given: list[tuple[str, ast.expr]] = []
            if isinstance(node, ast.ClassDef) and node.name in errors:
                given = [(node.name, value) for name, value in assigned(node.body) if name == "code"]
            elif isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if called in makers:
                    given = [(makers[called], one.value) for one in node.keywords if one.arg == "code"]
            for name, value in given:
                for code in texts(value, tables):
                    found[code].add(name)
    for code in REFUSALS:  # a site says why, and the hub's error has the same code
        found[code].add(SiteRefused.__name__)
    return dict(found)


def rows(section: str = "") -> list[tuple[str, tuple[str, ...], str, str]]:
    """Return code, classes, meaning and remedy of each row of the page's tables, or of one section's."""
    found, at = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        at = line.removeprefix("## ") if line.startswith("## ") else at
        if line.startswith("| `") and section in ("", at):
            code, classes, means, do = (cell.strip() for cell in line.strip("|").split(" | "))
            found.append((code.strip("`"), tuple(classes.split(", ")), means, do))
    return found


def test_the_page_lists_every_code_with_its_classes_and_no_other() -> None:
    assert {code: set(classes) for code, classes, _, _ in rows()} == codes_given()


def test_a_code_stands_once_is_kebab_case_and_says_what_it_means_and_what_to_do() -> None:
    codes = [code for code, *_ in rows()]
    assert len(codes) == len(set(codes))
    assert [code for code in codes if not KEBAB.fullmatch(code)] == []
    assert [code for code, _, means, do in rows() if not (means and do)] == []


def test_a_code_that_several_errors_share_stands_in_the_table_of_those() -> None:
    assert {code for code, classes, *_ in rows(SHARED)} == {code for code, classes, *_ in rows() if len(classes) > 1}
