import asyncio

from spoonkernel.bus import Hint
from spoonkernel.bus.memory import MemoryBus
from spoonkernel.types.events import Notification


async def take(events, count):
    async with asyncio.timeout(5):
        return [await anext(events) for _ in range(count)]


async def test_every_listener_hears_every_event_in_order_and_numbered():
    async with MemoryBus() as bus, bus.subscribe() as one, bus.subscribe() as two:
        for word in ("a", "b", "c"):
            await bus.publish(Notification(message=word))
        for events in (one, two):
            heard = await take(events, 3)
            assert [(event.message, event.seq) for event in heard] == [("a", 1), ("b", 2), ("c", 3)]


async def test_a_listener_that_falls_behind_loses_the_oldest_and_sees_it_in_seq():
    async with MemoryBus(buffer=3) as bus, bus.subscribe() as events:
        for number in range(10):
            await bus.publish(Notification(message=str(number)))
        assert [event.seq for event in await take(events, 3)] == [8, 9, 10]


async def test_a_listener_waits_for_what_comes_and_ends_with_the_bus():
    bus = MemoryBus()
    async with bus.subscribe() as events:
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        await bus.publish(Notification(message="late"))
        assert (await waiting).message == "late"
        await bus.__aexit__()
        assert [event async for event in events] == []


async def test_listeners_are_counted_while_they_listen():
    async with MemoryBus() as bus:
        async with bus.subscribe():
            assert bus.listeners == 1
        assert bus.listeners == 0


async def test_hints_reach_engines_and_never_those_who_listen_to_events():
    async with MemoryBus() as bus, bus.subscribe() as events, bus.hints() as hints:
        await bus.hint(Hint("cancel", "x"))
        await bus.publish(Notification(message="only this"))
        assert await anext(hints) == Hint("cancel", "x")
        assert [event.message for event in await take(events, 1)] == ["only this"]
