"""No test holds a sentence of the product still, so that every sentence can be written better.

A test asks for codes, keys, states and values. Held is a run of five words that stands in the product's own text and in
what a test asserts, matches or looks for on a page. Where the wording is the point, a comment ``# wording`` stands on
the line. ``HELD`` counts what was there before; a number may fall and never rises, and no new file comes in.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS = 5
MARK = "# wording"
LOOKS = {"match", "names", "has_text", "name"}  # arguments that hold what an error or a page says
HELD = {
    "boundary/test_checked.py": 1,
    "cli/test_bank.py": 2,
    "cli/test_hub_and_site.py": 1,
    "cli/test_streams.py": 1,
    "docs/test_commands.py": 1,
    "evaluation/runs/test_generating.py": 1,
    "evaluation/runs/test_kept_judgements.py": 1,
    "evaluation/statistics/test_ranking.py": 2,
    "evaluation/test_judge.py": 1,
    "evaluation/test_pattern.py": 1,
    "evaluation/test_readers.py": 6,
    "evaluation/test_written_otherwise.py": 3,
    "exports/test_card.py": 2,
    "exports/test_hf_templates_reading.py": 2,
    "exports/test_langchain_reading.py": 3,
    "exports/test_peft.py": 2,
    "federation/test_patience.py": 1,
    "flows/test_flare.py": 2,
    "site/test_gate.py": 1,
    "study/test_files.py": 1,
    "study/test_labels.py": 1,
    "study/test_written_values.py": 1,
    "tuning/test_hardening.py": 1,
    "workspace/demo/test_questions_demo.py": 1,
    "workspace/exchange/test_exporting.py": 1,
    "workspace/local/test_chat_scoring.py": 3,
    "workspace/local/test_scoring.py": 1,
    "workspace/local/test_soft_messages.py": 1,
    "workspace/machine/test_launch.py": 1,
    "workspace/playground/test_trials.py": 1,
    "workspace/results/test_shown.py": 1,
    "workspace/rounds/test_given_orders.py": 1,
    "workspace/rounds/test_grouping.py": 4,
    "workspace/rounds/test_shared_result.py": 1,
    "workspace/serve/test_serving_refusals.py": 1,
    "workspace/test_failure.py": 2,
}


def product() -> str:
    """Return all of the product's text in one line, literals that stand below each other joined."""
    files = [path for room in ("fedprompt", "app", "pages") for path in sorted((ROOT / room).rglob("*.py"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return " ".join(re.sub(r'"\s*\n\s*[rf]*"', "", text).split())


def asserted(tree: ast.AST) -> Iterator[ast.Constant]:
    """Return the strings that a test holds something against."""
    for node in ast.walk(tree):
        held: list[ast.expr] = []
        if isinstance(node, ast.Assert):
            held = [node.test]
        elif isinstance(node, ast.keyword) and node.arg in LOOKS:
            held = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_by_text":
            held = node.args
        for one in held:
            parts = (part for part in ast.walk(one) if isinstance(part, ast.Constant))
            yield from (part for part in parts if isinstance(part.value, str))


def holds(text: str, said: str) -> bool:
    """Return whether five words of a text in a row are the product's."""
    words = text.split()
    runs = (" ".join(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1))
    return any(run in said for run in runs if len(re.findall(r"[A-Za-z]{2,}", run)) >= WORDS - 1)


def found_in(path: Path, said: str) -> list[int]:
    """Return the lines of a file that hold a sentence."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    strings = [one for one in asserted(ast.parse(source)) if len(str(one.value).split()) >= WORDS]
    held = {one.lineno for one in strings if holds(str(one.value), said)}
    return sorted(line for line in held if MARK not in lines[line - 1])


def test_no_test_holds_a_sentence_of_the_product_still() -> None:
    said, found, where = product(), Counter[str](), []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for line in found_in(path, said):
            name = path.relative_to(ROOT / "tests").as_posix()
            found[name] += 1
            where.append(f"tests/{name}:{line}")
    more = {name: count for name, count in found.items() if count > HELD.get(name, 0)}
    assert not more, f"ask for a code, a key or a value: {[one for one in where if one[6:].rpartition(':')[0] in more]}"
    fewer = {name: count for name, count in HELD.items() if found[name] < count}
    assert not fewer, f"HELD may fall to what is held now: { {name: found[name] for name in fewer} }"


def test_a_sentence_is_known_by_its_words_and_values_are_not() -> None:
    said = "raise Error(f'the site {name} has too few cases to answer; wait for more')"
    assert holds("has too few cases to answer", said)  # wording
    assert not holds("clinic has 3 of 30", said)
    assert not holds("Text: {text} is it good or bad", said)
