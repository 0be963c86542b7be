"""A file that the vendor refuses, and that the real CLI then leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.testing import Answer, Failure, Simulator, Text
from tests.e2e.driving import Seat


@pytest.mark.parametrize("version", ["claude_path", "old_claude_path"])
def test_a_file_that_the_provider_refuses_is_no_success(
    tmp_path: Path, version: str, request: pytest.FixtureRequest, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, request.getfixturevalue(version))
    said = "messages.0.content.0.pdf.source.base64.data: The PDF specified was not valid."
    refused = Failure(status=400, kind="invalid_request_error", message=said)
    simulator.script("refuses-pdf", [refused, Answer(content=(Text("It grew."),))])
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("refuses-pdf")
    report = seat.cwd / "report.pdf"
    report.write_bytes(b"%PDF-1.4\n%broken\n%%EOF\n")
    run = seat.run("run", "--json", "--file", str(report), "Summarise")
    assert (run.code, run.result["text"]) == (8, "It grew.")
    assert run.result["error"]["code"] == "incomplete.attachment_refused"
    assert seat.runs()[0]["status"] == "failed"
