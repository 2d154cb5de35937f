"""The machine as a host sees it."""

import msgspec
import pytest

from trading.outcomes import LinkUp, TimerFired


def test_its_names_follow_from_venue_and_account(desk):
    broker = desk.broker
    assert broker.name == "broker:paper:DEMO"
    assert broker.stream == "account:paper:DEMO"
    assert broker.follows == ("kill:DEMO",)
    assert broker.subscribes == ()


def test_a_message_that_is_none_of_its_business_is_ignored_and_counted(desk, kit):
    assert desk.give(LinkUp(peer=kit.RISK)) == []
    assert desk.broker.view()["ignored"] == {"LinkUp": 1}


def test_a_timer_that_nobody_set_is_a_bug(desk):
    with pytest.raises(AssertionError):
        desk.give(TimerFired(key="bogus"))


def test_the_key_is_never_shown(desk):
    assert "secret" not in repr(desk.config)


@pytest.mark.parametrize("changes", [{"risk_key": b""}, {"resolution_delays_ns": ()}])
def test_settings_that_cannot_work_are_refused(kit, changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        kit.Desk(**changes)


def test_the_view_is_made_of_plain_values(desk, kit):
    desk.give(kit.fill(desk.accept("1")))
    desk.submit("2")
    desk.trip(flatten=True)
    assert msgspec.json.encode(desk.broker.view())
