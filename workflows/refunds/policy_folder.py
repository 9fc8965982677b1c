"""Reading policies, and nothing beyond their folder."""

from pathlib import Path

MAX_BYTES = 64_000


def read_policy_file(folder: Path, name: str) -> str:
    """The text of the policy `name` (with or without `.md`).

    Raises LookupError, naming the policies there are, for anything that is not a
    plain file directly in `folder`: other paths, links, devices.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.md")) if _plain(path)}
    path = known.get(name.removesuffix(".md"))
    if path is None:
        raise LookupError(f"there is no policy of that name; there are: {', '.join(known)}")
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", "replace")


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
