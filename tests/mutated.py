"""Files of a kind with small damages, for tests that feed a reader or a command with what it was not made for."""

from hypothesis import settings
from hypothesis import strategies as st

__all__ = ["damaged", "examples"]

# What makes formats stumble: quotes, separators, line ends, braces, marks of other encodings, numbers without end.
TOKENS = (
    *(
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"|",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"#",
        b"=",
    ),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\xc3", b"\xf0\x9f", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0c", b"\x1a"),
    *(b"null", b"NaN", b"Infinity", b"true", b"1e999", b"-0", b"9" * 400, b"\\ud800", b"\\u0000", b"[" * 3000),
    *(b'""', b'"""', b"sep=;\n", b"---\n", b"!!python/object:x", b"&a", b"*a", b"{{", b"{%", b"file://"),
)


def examples() -> int:
    """Return how many damaged files a property is tried on: 200 in ``make test``, what the profile says elsewhere."""
    asked = settings.default.max_examples if settings.default is not None else 100
    return 200 if asked == 100 else asked


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a file with one to four damages: a token put in, a part taken out, doubled, moved or overwritten."""
    content = whole
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from((0, 1, 1, 2, 7, 40, len(content))))
        part, rest = content[at : at + length], content[at + length :]
        put = draw(st.sampled_from(TOKENS) | st.binary(max_size=4) | st.just(part * 2) | st.just(b""))
        if draw(st.integers(0, 9)) == 0:
            content = rest + put + content[:at]
        else:
            content = content[:at] + put + rest
    return content
