"""A name from elsewhere becomes a file's name that every file system, header and shell holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.file_names import MAX_BYTES, file_name


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("mood", "mood.yaml"),
        ("my study", "my study.yaml"),
        ("größe 2+2", "größe 2+2.yaml"),
        ("../../etc/passwd", "etc-passwd.yaml"),
        ('a\\b:c*d?e"f<g>h|i', "a-b-c-d-e-f-g-h-i.yaml"),
        ("a\r\nSet-Cookie: x", "a-Set-Cookie- x.yaml"),
        ("-rf", "rf.yaml"),
        ("--help", "help.yaml"),
        (".hidden", "hidden.yaml"),
        ("\u202egnp.exe\u200f", "gnp.exe.yaml"),
        ("con", "con_.yaml"),
        ("NUL.txt", "NUL_.txt.yaml"),
        ("com1", "com1_.yaml"),
        ("confirm", "confirm.yaml"),
        ("", "study.yaml"),
        ("\0\n", "study.yaml"),
        ("...", "study.yaml"),
        ("🙂", "study.yaml"),
        ("e\u0301", "\u00e9.yaml"),  # as macOS writes it
        ("\ud800x", "x.yaml"),  # half of a surrogate pair
        ("a" * 400, "a" * 155 + ".yaml"),
        ("字" * 400, "字" * 51 + ".yaml"),
    ],
)
def test_a_hostile_name_becomes_a_plain_one(wanted: str, name: str) -> None:
    assert file_name(wanted, ".yaml", other="study") == name


def test_names_that_had_to_be_changed_stay_apart() -> None:
    assert file_name("mood", ".yaml", apart=True) == "mood.yaml"
    names = [
        file_name(one, ".yaml", other="study", apart=True) for one in ("a/b", "a:b", "🙂", "🙃", "a" * 200, "a" * 201)
    ]
    assert len(set(names)) == len(names)


@given(wanted=st.text(), apart=st.booleans())
def test_every_name_can_be_written_and_sent(wanted: str, apart: bool) -> None:
    name = file_name(wanted, ".csv", apart=apart)
    assert 4 < len(name.encode()) <= MAX_BYTES
    assert name[0] not in " .-+"
    assert not set(name) & set('/\\:*?"<>|\r\n\0')
    assert name.isprintable()
    assert name.split(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}
    assert file_name(name.removesuffix(".csv"), ".csv") == name
