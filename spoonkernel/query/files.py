"""Rows of an Arrow stream as a file that other programs open, made in a child process (`convert`)."""

import asyncio
import contextlib
from typing import Literal

from spoonkernel.errors import QueryStopped
from spoonkernel.query.frames import Frame
from spoonkernel.query.process import spawn

FileFormat = Literal["csv", "json", "parquet"]
CONVERT_TIMEOUT_S = 60.0


async def as_file(rows: Frame, format: FileFormat) -> bytes:
    """The file's bytes. `rows` is an answer of `QueryChild.ask` with `op="arrow"`.

    Raises:
        QueryStopped: the file could not be made.
    """
    process = await spawn("spoonkernel.query.convert")
    asked = Frame({"format": format, "types": rows.head["types"]}, rows.body)
    try:
        async with asyncio.timeout(CONVERT_TIMEOUT_S):
            content, _ = await process.communicate(asked.packed())
    except TimeoutError:
        raise QueryStopped(f"Stopped: the file was not ready within {CONVERT_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise QueryStopped(f"These rows cannot be written as {format}; ask for fewer, or for plainer columns")
    return content
