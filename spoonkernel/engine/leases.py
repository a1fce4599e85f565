"""Keeps a worker's claims alive, writes the progress of its runs, and notices runs whose task was taken away."""

import asyncio

from spoonkernel.engine.runs import LEASE, Runner
from spoonkernel.store import claims
from spoonkernel.store.engine import Database
from spoonkernel.types.base import utc_now

TICK_S = 0.25  # progress events of one task come no faster
WRITE_EVERY = 4  # ticks between writes of progress to the rows
RENEW_EVERY = 20  # ticks between renewals of the leases: 5 s of the 30 s they hold


class Leases:
    """Ticks while something runs, and waits without waking up while nothing does."""

    def __init__(self, database: Database, runner: Runner) -> None:
        self._database, self._runner = database, runner
        self._ticks = 0

    async def keep(self) -> None:
        """Runs until cancelled."""
        while True:
            if not self._runner.running:
                self._runner.began.clear()
                await self._runner.began.wait()
            await asyncio.sleep(TICK_S)
            self._ticks += 1
            await self._runner.publish_progress()
            if self._ticks % RENEW_EVERY == 0:
                await self._write(renew=True)
            elif self._ticks % WRITE_EVERY == 0:
                await self._write(renew=False)

    async def check(self) -> None:
        """Stop the runs whose tasks are no longer theirs: cancelled, or put back after a long silence from here."""
        runs = dict(self._runner.running)
        if runs:
            held = await self._database.read(lambda connection: claims.held(connection, runs))
            self._end(set(runs) - held)

    async def _write(self, *, renew: bool) -> None:
        runs = dict(self._runner.running)
        moved = {key: run.progress if run.progress != run.written else None for key, run in runs.items()}
        if not renew:
            moved = {key: value for key, value in moved.items() if value is not None}
        if not moved:
            return
        until = utc_now() + LEASE if renew else None
        held = await self._database.write(lambda tx: claims.renew(tx, moved, until))
        for key, value in moved.items():
            if value is not None:
                runs[key].written = value
        self._end(moved.keys() - held)

    def _end(self, attempt_ids: set[str]) -> None:
        for attempt_id in attempt_ids:
            # a run that has just recorded its own end is no longer among them
            if run := self._runner.running.get(attempt_id):
                self._runner.end(run, "gone")
