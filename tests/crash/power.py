"""What a power cut leaves: only what had been synced by then, or that and a part of the rest."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

from tests.crash.files import Step
from tests.crash.shop import Effect


@dataclass
class File:
    """One file: what is safe on the disk, and what is still on its way there.

    `safe` is None while the file may not even exist. `named` says whether its folder
    was synced since it was made.
    """

    safe: bytearray | None = None
    under_way: list[Step] = field(default_factory=list)
    named: bool = False

    def image(self, chance: Random | None) -> bytearray | None:
        """What is found after the cut; with `chance`, some of what was under way got through."""
        image = None if self.safe is None else bytearray(self.safe)
        for step in self.under_way if chance else ():
            if chance and chance.random() < 1 / 2:
                image = _made(image, _torn(step, chance))
        return image

    def sync(self) -> None:
        """All that was under way is safe now."""
        for step in self.under_way:
            self.safe = _made(self.safe, step)
        self.under_way.clear()

    def sync_name(self) -> None:
        """Whether it is there at all is safe now."""
        deleted = [at for at, step in enumerate(self.under_way, 1) if step[1] == "delete"]
        if deleted:
            self.safe, self.under_way = None, self.under_way[deleted[-1] :]


@dataclass
class Moment:
    """The world at one moment of a record: the files, and what those outside know."""

    files: dict[str, File] = field(default_factory=dict)
    acked: int = 0  # up to which seq the store has said that the run is durable
    effects: list[Effect] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def take(self, step: Step) -> Self:
        """The moment after one more step."""
        name, what, where, data = step
        match what:
            case "acked":
                self.acked = where
            case "effect":
                key, tool, said = json.loads(data)
                self.effects.append((key, tool, said))
            case "told":
                self.told.append(data.decode())
            case "sync":
                self._sync(name)
            case _:
                self._file(name).under_way.append(step)
        if what == "delete":
            self._file(name).named = False
            if where:
                self._sync_folder()
        return self

    def images(self, chance: Random | None) -> dict[str, bytearray]:
        """The files as they are found after a cut at this moment."""
        found = {name: file.image(chance) for name, file in self.files.items()}
        return {name: image for name, image in found.items() if image is not None}

    def _sync(self, name: str) -> None:
        """Sync a file. SQLite syncs the folder too, the first time after it made one of its own."""
        file = self._file(name)
        file.sync()
        if name.endswith(("-wal", "-journal")) and not file.named:
            self._sync_folder()
            file.named = True

    def _sync_folder(self) -> None:
        for file in self.files.values():
            file.sync_name()

    def _file(self, name: str) -> File:
        return self.files.setdefault(name, File())


def lay_out(images: dict[str, bytearray], folder: Path) -> None:
    """Put the images into a fresh folder."""
    folder.mkdir()
    for name, image in images.items():
        (folder / name).write_bytes(image)


def _torn(step: Step, chance: Random) -> Step:
    """The step, or only the first part of what it was to write."""
    name, what, where, data = step
    if what != "write" or chance.random() < 1 / 2:
        return step
    return name, what, where, data[: chance.randrange(len(data))]


def _made(image: bytearray | None, step: Step) -> bytearray | None:
    """The image of a file after one step was made on it."""
    _, what, where, data = step
    image = bytearray() if image is None else image
    match what:
        case "delete":
            return None
        case "truncate":
            del image[where:]
        case _:
            image.extend(bytes(max(0, where - len(image))))
            image[where : where + len(data)] = data
    return image
