"""A call whose result is lost, while its tool's schema is another by now."""

from dataclasses import replace

import pytest

from engine.core.tool import Tool
from engine.core.tools import tool
from engine.core.workflow import Workflow
from tests.core.test_doubt import FORGETS, READS, REPEATS, asked, other, started, under


@pytest.mark.parametrize("sender", [READS, REPEATS, FORGETS])
def test_it_is_not_started_again_with_what_the_old_schema_allowed(sender: Tool) -> None:
    # Its arguments may not fit any more; that refusal would look like a failed call, and is none.
    changed = replace(sender, parameters=tool(other).parameters, validator=None)
    today = Workflow(name="shop", instructions="Help.", tools=(changed,))
    request = asked(under(sender, started(sender=sender)).under(today).effect())
    assert request.approval_kind == "in_doubt"
    assert request.reason == ("its driver stopped while it ran; the tool has another schema since")
