"""Alerts: told once, reminded, told when they are over; never lost, never too many."""

import string
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.desk.principal import ALL, Principal
from serve.monitoring.alert_book import AlertBook, NoticeKind
from serve.monitoring.delivery import DeliveryPolicy, NoticeQueue
from serve.monitoring.metrics import METRICS, Sample
from serve.monitoring.rules import RULES, Rule, Severity
from serve.monitoring.samples import samples_of
from tests.serve.simulated_desk import SimulatedDesk

DOWN = Rule(
    name="Down", severity=Severity.CRITICAL, metric="trading_actor_up", compare="<", threshold=1,
    summary="{actor} is down.", for_s=10,
)  # fmt: skip
RESTARTS = Rule(
    name="Restarts", severity=Severity.WARNING, metric="trading_actor_restarts_total", compare=">",
    threshold=2, summary="{actor}: {value}.", window_s=60,
)  # fmt: skip
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _up(value, actor="lane"):
    return [Sample("trading_actor_up", (actor,), value)]


def _kinds(notices):
    return [notice.kind for notice in notices]


def test_when_a_condition_holds_long_enough_it_fires_once_and_is_reminded_and_resolved():
    book = AlertBook([DOWN], repeat_after_s=100)
    assert book.update(_up(0), 0.0) == []
    assert book.update(_up(0), 9.0) == []
    fired = book.update(_up(0), 10.0)
    assert _kinds(fired) == [NoticeKind.FIRING]
    assert fired[0].text == "lane is down."
    assert book.update(_up(0), 50.0) == []
    assert _kinds(book.update(_up(0), 110.0)) == [NoticeKind.REMINDER]
    assert [notice.rule.name for notice in book.firing()] == ["Down"]
    over = book.update(_up(1), 120.0)
    assert _kinds(over) == [NoticeKind.RESOLVED]
    assert "after 120 s" in over[0].text
    assert book.firing() == []


def test_when_a_condition_breaks_before_its_time_nobody_is_told():
    book = AlertBook([DOWN], repeat_after_s=100)
    for second in range(100):
        assert book.update(_up(second % 10 == 9), float(second)) == []


def test_when_two_series_meet_a_rule_each_is_an_alert_of_its_own():
    book = AlertBook([DOWN], repeat_after_s=100)
    both = _up(0, "lane") + _up(0, "desk")
    book.update(both, 0.0)
    assert len(book.update(both, 10.0)) == 2
    assert _kinds(book.update(_up(1, "lane") + _up(0, "desk"), 11.0)) == [NoticeKind.RESOLVED]


def test_when_a_counter_rises_within_the_window_it_fires_also_over_a_restart_of_the_counter():
    book = AlertBook([RESTARTS], repeat_after_s=1_000)

    def after(value, at):
        return _kinds(book.update([Sample("trading_actor_restarts_total", ("lane",), value)], at))

    assert after(5, 0.0) == []
    assert after(7, 10.0) == []
    assert after(1, 20.0) == [NoticeKind.FIRING]  # 2, then 1 after it began anew: 3 in all
    assert after(1, 90.0) == [NoticeKind.RESOLVED]


@given(st.lists(st.tuples(st.floats(0.1, 30), st.booleans()), max_size=60))
def test_whatever_happens_fired_and_resolved_alternate(steps):
    book, now, told = AlertBook([DOWN], repeat_after_s=1e9), 0.0, []
    for seconds, is_up in steps:
        now += seconds
        told += _kinds(book.update(_up(is_up), now))
    expected = [NoticeKind.FIRING, NoticeKind.RESOLVED] * len(told)
    assert told == expected[: len(told)]


def _notice(severity=Severity.CRITICAL):
    rule = Rule(
        name="R", severity=severity, metric="trading_up", compare="<", threshold=1, summary="gone"
    )
    return AlertBook([rule], 1.0).update([Sample("trading_up", (), 0)], 0.0)[0]


def test_when_it_is_quiet_only_critical_notices_leave_and_the_others_wait():
    policy = DeliveryPolicy(quiet=(time(22), time(6)))
    queue = NoticeQueue(policy, "demo")
    night, morning = NOON.replace(hour=23), NOON.replace(hour=7)
    sent = queue.messages([_notice(Severity.WARNING), _notice()], 0.0, night)
    assert [message.severity for message in sent] == [Severity.CRITICAL]
    assert queue.waiting == 1
    assert [m.severity for m in queue.messages([], 10.0, morning)] == [Severity.WARNING]
    assert queue.waiting == 0


def test_when_there_are_too_many_the_rest_goes_out_as_one_and_none_is_lost():
    queue = NoticeQueue(DeliveryPolicy(max_per_minute=3), "demo")
    sent = queue.messages([_notice() for _ in range(50)], 0.0, NOON)
    assert len(sent) == 3
    assert sum(message.body.count("gone") for message in sent) == 50
    assert queue.messages([_notice()], 30.0, NOON) == []
    assert len(queue.messages([], 61.0, NOON)) == 1


def test_when_warnings_are_not_wanted_they_do_not_wait_either():
    queue = NoticeQueue(DeliveryPolicy(min_severity=Severity.CRITICAL), "demo")
    assert queue.messages([_notice(Severity.WARNING)], 0.0, NOON) == []
    assert queue.waiting == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_names_what_exists(rule):
    labels = METRICS[rule.metric].labels
    wanted = {name for _, name, _, _ in string.Formatter().parse(rule.summary) if name}
    assert wanted <= {*labels, "value"}
    assert {label for label, _, _ in rule.where} <= set(labels)
    page = Path(rule.runbook)
    assert page.is_file(), f"{rule.name} has no runbook"
    text = page.read_text()
    for heading in ("## What it means", "## Look", "## Do", "## Over when"):
        assert heading in text, f"{page} lacks {heading!r}"


def test_when_the_kill_switch_is_latched_the_rule_for_it_fires_and_none_before(tmp_path):
    operator = Principal(name="eva", permissions=ALL, came_by="stdio")
    desk = SimulatedDesk(tmp_path)

    def firing():
        rules = [rule for rule in RULES if rule.for_s == 0 and not rule.window_s]
        return {
            n.rule.name for n in AlertBook(rules, 1.0).update(samples_of(desk.snapshot(), 0), 0.0)
        }

    assert "KillSwitchLatched" not in firing()
    desk.kill(operator, "test", flatten=False)
    assert "KillSwitchLatched" in firing()
