"""Small pictures for an output that stays in the notebook."""

import base64
import html
from collections.abc import Iterable

from spoonkernel.errors import SpoonError
from spoonkernel.handles.opened import OpenWorkbench

SHOWN = 12
"""Pictures that one output shows."""
SHOWN_BYTES = 200_000
"""What they may take in the saved notebook, all together."""
LONGEST_ALT = 200


async def picture_tags(workbench: OpenWorkbench, paths: Iterable[str], alt: str) -> list[str]:
    """`<img>` tags with the files themselves inside, as many as an output may hold; `alt` is escaped here.

    Args:
        paths: of thumbnails in the media folder. One that cannot be had is left out: it is only an extra.
    """
    tags: list[str] = []
    left = SHOWN_BYTES
    for path in list(paths)[:SHOWN]:
        try:
            media = await workbench.media.open(path)
        except SpoonError:
            continue
        data = base64.b64encode(media.content).decode()
        left -= len(data)
        if left < 0:
            break
        source = html.escape(f"data:{media.content_type};base64,{data}")
        words = html.escape(alt[:LONGEST_ALT])
        tags.append(f'<img src="{source}" alt="{words}" style="max-width:256px;margin:2px">')
    return tags
