"""A log of 100,000 events is replayed and verified in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import json, resource, sys
from pathlib import Path
from tests.bench.replay import replay, write

log = Path(sys.argv[1])
write(log, int(sys.argv[2]))
count, _ = replay(log)
print(json.dumps([count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def replayed(events: int) -> tuple[int, int]:
    """How many events were replayed, and the peak of the process's memory in MiB."""
    words = [sys.executable, "-c", PROGRAM, str(Path.cwd() / f"{events}.jsonl"), str(events)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    count, peak = json.loads(done.stdout)
    return count, peak


def test_memory_does_not_grow_with_the_log() -> None:
    (few, small), (many, large) = replayed(5_000), replayed(100_000)
    assert few >= 5_000
    assert many >= 100_000
    assert large - small < 48  # MiB; the log itself has over 70
