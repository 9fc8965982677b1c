"""Named queries out of a `.sql` file."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(filename: str) -> dict[str, str]:
    """The queries of a file in this folder, by the names that their first lines give."""
    text = files(__package__).joinpath(filename).read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
