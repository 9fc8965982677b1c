"""What `waystation anchor` printed, read again."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadInputError

if TYPE_CHECKING:
    from engine.runtime.verify import Anchor


def read_anchors(file: Path) -> "Iterator[Anchor]":
    """The anchors in a file; BadInputError where it is none, or cannot be read."""
    from pydantic import ValidationError

    from engine.runtime.verify import Anchor

    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise BadInputError(f"the anchors {file} cannot be read: {error.strerror}") from error
    if not lines:
        raise BadInputError(f"there is no anchor in {file}")
    for number, line in enumerate(lines, 1):
        try:
            yield Anchor.model_validate_json(line)
        except ValidationError:
            words = "is not what `waystation anchor` prints"
            raise BadInputError(f"{file}:{number} {words}") from None
