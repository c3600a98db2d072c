"""Calls to a model elsewhere are in the ledger as numbers: host, cases, calls, bytes; never a text."""

from pathlib import Path

from fedprompt.models.chat.protocol import ChatTurn
from fedprompt.site.calls import record_calls
from fedprompt.site.ledger import Ledger


def test_an_entry_counts_what_is_sent_and_holds_none_of_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    talks = [(ChatTurn("system", "brief"), ChatTurn("user", "zeugma \u00e4")), (ChatTurn("user", "zeugma b"),)]
    record_calls(ledger, study="s1:0", host="api.example.com", cases=2, conversations=talks)
    (entry,) = ledger.entries()
    assert entry.decision == "call" and entry.study == "s1:0"
    # 5 + 9 (the umlaut has two bytes) + 8 bytes.
    assert entry.message == {"verb": "call", "host": "api.example.com", "cases": 2, "calls": 2, "bytes": 22}
    assert entry.size == 22 and b"zeugma" not in ledger.path.read_bytes()


def test_the_digest_tells_other_texts_and_other_cuts_apart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for talk in (("ab", "c"), ("a", "bc"), ("ab", "d")):
        turns = [tuple(ChatTurn("user", text) for text in talk)]
        record_calls(ledger, study="s1:0", host="h", cases=1, conversations=turns)
    assert len({entry.sha256 for entry in ledger.entries()}) == 3
