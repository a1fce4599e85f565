"""Ratings of generations and of single pictures, and the lists that a gallery is filled from."""

import pytest

from spoonkernel.errors import NotFound, ValidationFailed

NOBODY = "00000000-0000-4000-8000-000000000000"


def ratings(generation):
    return generation.rating, [output.rating for output in generation.outputs]


async def test_a_generation_is_rated_whole_or_picture_by_picture(workbench, finished):
    made = await finished(parameters={"batch_size": 3})
    rate = workbench.generations.rate
    assert ratings(made) == (None, [None] * 3)
    assert ratings(await rate(made.id, rating=3)) == (3, [3, 3, 3])
    assert ratings(await rate(made.id, rating=5, index=1)) == (5, [3, 5, 3])
    assert ratings(await rate(made.id, rating=0, index=1)) == (3, [3, 0, 3])
    assert ratings(await rate(made.id, rating=None, index=0)) == (3, [None, 0, 3])
    rated = await rate(made.id, rating=None, index=2)
    assert ratings(rated) == (0, [None, 0, None])
    assert rated == await workbench.generations.get(made.id)
    assert rated.model_copy(update={"rating": None, "outputs": made.outputs}) == made
    assert ratings(await rate(made.id, rating=None)) == (None, [None] * 3)


async def test_what_is_no_rating_is_refused(workbench, finished):
    made = await finished()
    for wrong in (6, -1, "good"):
        with pytest.raises(ValidationFailed, match="rating"):
            await workbench.generations.rate(made.id, rating=wrong)
    for index in (1, -1):
        with pytest.raises(ValidationFailed, match="index"):
            await workbench.generations.rate(made.id, rating=5, index=index)
    for gone in (NOBODY, "nonsense"):
        with pytest.raises(NotFound, match=f"Generation {gone} not found"):
            await workbench.generations.rate(gone, rating=5)
    assert ratings(await workbench.generations.get(made.id)) == (None, [None])


async def test_a_generation_can_be_rated_before_it_has_ended(workbench, generate, sim):
    sim.freeze()
    row = await generate()
    assert ratings(await workbench.generations.rate(row.id, rating=4)) == (4, [])
    sim.thaw()
    assert ratings(await workbench.generations.get(row.id, wait_s=20)) == (4, [None])


async def test_lists_are_narrowed_by_the_best_rating(workbench, finished, session):
    kept, rejected, _ = [await finished(prompt_text=word) for word in ("kept", "rejected", "unseen")]
    await workbench.generations.rate(kept.id, rating=4, index=0)
    await workbench.generations.rate(rejected.id, rating=0)
    for read in (workbench.generations.list, workbench.generations.index):
        assert [one.id for one in await read(min_rating=4)] == [kept.id]
        assert [one.id for one in await read(session_id=session.id, min_rating=0)] == [rejected.id, kept.id]
        assert await read(min_rating=5) == []
        with pytest.raises(ValidationFailed, match=r"min_?[rR]ating"):
            await read(min_rating=6)


async def test_the_index_has_what_a_tile_shows(workbench, finished, session, workflow):
    first = await finished(prompt_text="x" * 2_000, parameters={"seed": 2**64 - 1, "batch_size": 2})
    second = await finished()
    await workbench.generations.rate(first.id, rating=2, index=1)
    first = await workbench.generations.get(first.id)
    index = workbench.generations.index
    assert [tile.id for tile in await index()] == [second.id, first.id]
    [tile] = await index(session_id=session.id, workflow_id=workflow.id, status="complete", offset=1)
    same = tile.model_dump(exclude={"outputs", "prompt_text"})
    assert same == {name: getattr(first, name) for name in same}
    assert tile.prompt_text == "x" * 1_000
    assert [one.model_dump() for one in tile.outputs] == [
        {name: getattr(output, name) for name in one.model_dump()}
        for one, output in zip(tile.outputs, first.outputs, strict=True)
    ]
    assert [one.rating for one in tile.outputs] == [None, 2]
    assert len(await index(limit=1)) == 1
    assert len(await index(limit=10**6)) == 2
    assert await index(status="failed") == []
    assert await index(session_id=NOBODY) == await index(session_id="nonsense") == []
    with pytest.raises(ValidationFailed, match="limit"):
        await index(limit=0)
