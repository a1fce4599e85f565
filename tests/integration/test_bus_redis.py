import asyncio

from redis.asyncio import Redis

from spoonkernel.bus import Hint
from spoonkernel.bus.redis import RedisBus
from spoonkernel.types.events import Notification


async def take(events, count):
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


async def test_events_and_hints_reach_the_other_process_once_and_the_own_at_once(valkey_url):
    async with RedisBus(valkey_url) as here, RedisBus(valkey_url) as there:
        assert await here.wait_connected(5)
        assert await there.wait_connected(5)
        async with here.subscribe() as own, there.subscribe() as other, there.hints() as hints:
            for number in range(50):
                await here.publish(Notification(message=str(number)))
            await here.hint(Hint("cancel", "x"))
            assert [event.message for event in await take(other, 50)] == [str(number) for number in range(50)]
            assert await take(hints, 1) == [Hint("cancel", "x")]
            assert [event.seq for event in await take(own, 50)] == list(range(1, 51))
            await there.publish(Notification(message="back"))
            assert [event.message for event in await take(own, 1)] == ["back"]


async def test_a_bus_without_redis_serves_its_own_process_and_reconnects_by_itself(own_valkey):
    own_valkey.stop()
    async with RedisBus(own_valkey.url) as here, RedisBus(own_valkey.url) as there, here.subscribe() as own:
        await here.publish(Notification(message="alone"))
        assert [event.message for event in await take(own, 1)] == ["alone"]
        assert not here.connected
        own_valkey.start()
        assert await here.wait_connected(10)
        assert await there.wait_connected(10)
        async with there.subscribe() as other:
            await here.publish(Notification(message="together"))
            heard = [event.message for event in await take(other, 1)]
            while heard[-1] == "alone":  # still on its way when Redis came back
                heard += [event.message for event in await take(other, 1)]
            assert heard[-1] == "together"


async def test_a_message_that_nobody_understands_is_passed_over(valkey_url):
    async with RedisBus(valkey_url) as here, RedisBus(valkey_url) as there, Redis.from_url(valkey_url) as raw:
        assert await here.wait_connected(5)
        assert await there.wait_connected(5)
        async with there.subscribe() as other:
            for nonsense in (
                "",
                "[]",
                '{"origin": "x", "event": "from:tomorrow", "payload": {}}',
                "\ud83d".encode("utf-16", "surrogatepass"),
            ):
                await raw.publish("spoon:0:events", nonsense)
            await here.publish(Notification(message="understood"))
            assert [event.message for event in await take(other, 1)] == ["understood"]
