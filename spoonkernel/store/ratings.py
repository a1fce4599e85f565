"""Ratings of generations and of their outputs, which are in one JSON column."""

from sqlalchemy import select

from spoonkernel.errors import ValidationFailed
from spoonkernel.store.engine import Transaction
from spoonkernel.store.tables import comfyui_generations


def rate(tx: Transaction, generation_id: str, rating: int | None, index: int | None) -> None:
    """Rate one output, or a generation with all of them. Nothing happens when the generation is gone.

    The generation's own column is that of the whole, else the best of its outputs: what lists are narrowed by.

    Raises:
        ValidationFailed: it has no such output.
    """
    here = comfyui_generations.c.id == generation_id
    outputs = tx.connection.scalar(select(comfyui_generations.c.outputs).where(here)) or []
    if index is None:
        best, rated = rating, [output | {"rating": rating} for output in outputs]
    elif index < len(outputs):
        rated = [output | {"rating": rating} if place == index else output for place, output in enumerate(outputs)]
        best = max((output["rating"] for output in rated if output.get("rating") is not None), default=None)
    else:
        raise ValidationFailed(f"index: the generation has {len(outputs)} outputs, counted from 0; there is no {index}")
    tx.update(comfyui_generations, here, rating=best, outputs=rated)
