"""Talks to the example `chat`, at the address that is given; an assertion ends it."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ADDRESS = sys.argv[1]
LONGEST = 16 << 10


def enter(room, name, **options):
    return connect(f"ws://{ADDRESS}/{room}/{name}", **options)


async def hears(member, *expected):
    for words in expected:
        said = await member.recv()
        assert said == words, (said, words)


async def end(member):
    """What came before the end, and its code; none if the connection was cut off."""
    said = []
    try:
        while True:
            said.append(await member.recv())
    except ConnectionClosed as error:
        return said, error.rcvd and error.rcvd.code


async def members_of_a_room_hear_each_other():
    async with enter("lobby", "ann") as ann, enter("attic", "eve") as eve:
        await hears(ann, "ann has come")
        await hears(eve, "eve has come")
        async with enter("lobby", "bob") as bob:
            await hears(ann, "bob has come")
            await hears(bob, "bob has come")
            await ann.send("good day, Zoë")
            await hears(ann, "ann: good day, Zoë")
            await hears(bob, "ann: good day, Zoë")
            await bob.send(["in ", "three ", "pieces"])
            await hears(ann, "bob: in three pieces")
            await hears(bob, "bob: in three pieces")
        await hears(ann, "bob has gone")
        await (await ann.ping())
        await eve.send("no one else here")
        await hears(eve, "eve: no one else here")


async def all_hear_the_same_in_the_same_order():
    members = []
    for name in range(16):
        members.append(await enter("order", name))
        for member in members:
            await hears(member, f"{name} has come")

    async def talk(name):
        member, said = members[name], []
        for number in range(20):
            # The next only when it has heard itself: no one falls far behind.
            await member.send(str(number))
            while f"{name}: {number}" not in said:
                said.append(await member.recv())
        while len(said) < 20 * len(members):
            said.append(await member.recv())
        return said

    heard = await asyncio.gather(*map(talk, range(16)))
    assert all(said == heard[0] for said in heard)
    for name in range(16):
        assert [said for said in heard[0] if said.startswith(f"{name}: ")] == [
            f"{name}: {number}" for number in range(20)
        ]
    await asyncio.gather(*(member.close() for member in members))


async def what_is_not_allowed_is_refused_by_the_code_that_says_why():
    async with enter("limits", "ann") as ann:
        await hears(ann, "ann has come")
        await ann.send("x" * LONGEST)
        await hears(ann, "ann: " + "x" * LONGEST)
        await ann.send("x" * (LONGEST + 1))
        assert (await end(ann))[1] == 1009
    async with enter("limits", "bob") as bob:
        await bob.send(b"bytes")
        assert (await end(bob))[1] == 1003
    for path in ["", "room-alone", "room/" + "x" * 200]:
        try:
            await connect(f"ws://{ADDRESS}/{path}")
            raise AssertionError(path)
        except InvalidStatus as error:
            assert error.response.status_code == 404


async def who_does_not_read_is_put_out_and_holds_up_no_one():
    async with enter("busy", "bob") as bob:
        await hears(bob, "bob has come")
        slow = await enter("busy", "slow", max_queue=1)
        await hears(bob, "slow has come")
        text, others = "x" * LONGEST, []
        for _ in range(1000):
            await bob.send(text)
            while (said := await bob.recv()) != "bob: " + text:
                others.append(said)
        said, code = await end(slow)
        assert len(said) < 1000 and code in (1008, None), (len(said), code)
        if not others:
            await hears(bob, "slow has gone")


async def main():
    async with asyncio.timeout(300):
        await members_of_a_room_hear_each_other()
        await all_hear_the_same_in_the_same_order()
        await what_is_not_allowed_is_refused_by_the_code_that_says_why()
        await who_does_not_read_is_put_out_and_holds_up_no_one()


asyncio.run(main())
