"""Real places that are too small, or that may not be written to."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Run, State, StoreError
from tests.stores.test_trouble import Till


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A real file system of a few hundred KiB."""
    folder = Path("small").absolute()
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 # wherever it is


def fill(path: Path) -> None:
    """Leave no room."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass


async def test_a_real_disk_that_is_full_loses_nothing_and_goes_on(small_disk: Path) -> None:
    till, filler = Till(idempotent=True), small_disk / "filler"
    url = f"sqlite:///{small_disk}/runs.db"
    async with till.engine(url) as waystation:
        await waystation.submit("shop", "Hello", "r1")
        fill(filler)
        more = [waystation.submit("shop", "x" * 9000, f"more{n}") for n in range(20)]
        outcomes = await asyncio.gather(*more, return_exceptions=True)
        errors = [one for one in outcomes if not isinstance(one, Run)]
        assert errors
        assert all(isinstance(one, StoreError) and "full" in str(one) for one in errors)
        filler.unlink()
        assert (await waystation.resume("r1")).state is State.Done
        assert await waystation.damaged() == {}
        assert len(await waystation.runs()) == 21 - len(errors)
    assert till.paid == ["1"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can look into, for somebody who may not write there."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def somebody_else(folder: Path) -> Iterator[None]:
    """Files below the folder may be read and not written, even where we are root."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)


async def test_a_file_that_may_not_be_written_is_named_and_nothing_is_done(
    open_folder: Path,
) -> None:
    till, url = Till(idempotent=False), f"sqlite:///{open_folder}/runs.db"
    async with till.engine(url) as waystation:
        await waystation.submit("shop", "Hello", "r1")
    before = (open_folder / "runs.db").read_bytes()
    with somebody_else(open_folder):
        async with till.engine(url) as waystation:
            with pytest.raises(StoreError, match=r"runs\.db.*(readonly|unable to open)"):
                await waystation.resume("r1")
    assert (open_folder / "runs.db").read_bytes() == before
    assert till.paid == []
    async with till.engine(url) as waystation:
        assert (await waystation.resume("r1")).state is State.Done
    assert till.paid == ["1"]
