"""Files of a kind with damage of every kind, for tests that say: a refusal is one sentence, and nothing else is raised.

Bytes are cut out, doubled, exchanged and put in; what is put in is what breaks readers: marks, braces, quotes, line
ends of other systems, numbers without end, half of a letter.
"""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["MANY", "mutated"]

_PROFILES = settings().max_examples
# Twice as many as other properties in `make test`, and what the profiles "quick" and "nightly" say.
MANY = settings(
    max_examples=200 if _PROFILES == 100 else _PROFILES, deadline=None, suppress_health_check=list(HealthCheck)
)

BREAKING = (
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\xc3", b"\xed\xa0\x80", b"\r", b"\r\n", b"\n", b"\x85", b"\xe2\x80\xa8"),
    *(b"---\n", b"+++\n", b"{{", b"}}", b"{%", b"%}", b"{#", b"#}", b"{", b"}", b"[", b"]", b"\\", b'"', b"'", b"`"),
    *(
        b": ",
        b"- ",
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b"? ",
        b"| ",
        b"> ",
        b"# ",
        b"\t",
        b"~",
        b"%YAML 9\n",
    ),
    *(
        b"null",
        b"true",
        b"NaN",
        b"Infinity",
        b"1e999",
        b"9" * 5000,
        b"0x",
        b"2001-02-30",
        b"12:34:56",
        b".inf",
        b"<<: ",
    ),
    *(b"system:\n", b'{{role "x"}}', b"{{history}}", b"{{#if a}}", b"{{> p}}", b"{{@a}}", b"{{~", b"~}}", b"{{!--"),
    *(b"${env:HOME}", b"${file:/etc/passwd}", b"{% raw %}", b"{{ 'a' ~ 7 }}", b"{{ ((((", b"{{'\\x'}}", b"{{ 1e999 }}"),
    *(
        b"(" * 500,
        b"[" * 500,
        b"{{" * 200,
        b"- " * 500,
        b"{{soft}}",
        b"\xf0\x9f\x99\x82",
        b"\xe2\x80\x8f",
        b"PK\x05\x06",
    ),
)


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draw one of the seeds with up to four places damaged."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        to = draw(st.integers(at, min(len(content), at + 40)))
        put = draw(st.sampled_from(BREAKING) | st.binary(max_size=4) | st.just(content[at:to] * 2) | st.just(b""))
        content = content[:at] + put + content[to:]
    return content
