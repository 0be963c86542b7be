"""The server, the runs on it, and the CLI processes that it keeps warm."""

from __future__ import annotations

from collections.abc import Iterator

from oneseat.contract.protocol import StatusReport
from oneseat.contract.warm import WarmProcess

from .timefmt import duration, local_time


def status_text(report: StatusReport) -> str:
    """The whole report."""
    return "\n".join(_lines(report))


def _lines(report: StatusReport) -> Iterator[str]:
    server = report.server
    if server is None:
        yield "server    not running; `oneseat serve` starts one"
        yield f"folder    {report.folder}"
        return
    state = "stopping" if server.draining else "running"
    yield f"server    {state}, process {server.pid}, since {local_time(server.since)}, oneseat {server.version}"
    yield f"folder    {report.folder}"
    yield f"runs      {len(server.runs) or 'none'}"
    for run in server.runs:
        yield f"          {run.id}  {duration(run.age_s)}  {run.model or 'default model'}"
    yield f"warm      {len(server.warm) or 'none'}"
    yield from map(_warm, server.warm)
    cold = server.last_cold
    yield f"last cold {f'{local_time(cold.at)}  {cold.why}' if cold else 'never'}"


def _warm(process: WarmProcess) -> str:
    memory = f"{process.memory_bytes / 2**20:.0f} MiB"
    return f"          process {process.pid}  {duration(process.age_s)}  {memory}  {process.model}"
