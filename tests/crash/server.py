"""A clean process of one thread that forks a child for each job: `python -m tests.crash.server`.

A child forked here has everything imported already, and so costs milliseconds. Jobs
come as JSON, one a line; each is answered with how its child ended.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from tests.crash.programs import Child, Job


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Child(Job(folder)).run())  # whatever is imported late, is now
    assert threading.active_count() == 1, "forking more than one thread loses locks"
    gc.collect()
    gc.freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _be_the_child(Job(**json.loads(line)))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _be_the_child(job: Job) -> None:
    """Never returns."""
    code = 0
    try:
        gc.disable()
        asyncio.run(Child(job).run())
    except BaseException:  # noqa: BLE001 # whatever it is, it must not go on as a second server
        Path(job.folder, "trouble.txt").write_text(traceback.format_exc(), encoding="utf-8")
        code = 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
