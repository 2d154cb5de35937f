from trading.book.level_orders import LevelOrders


def test_change_names_the_levels_that_changed() -> None:
    orders = LevelOrders()
    assert orders.set("a", 10.0, 1.0) == [(10.0, 1.0)]
    assert orders.set("b", 10.0, 2.0) == [(10.0, 3.0)]
    assert orders.set("a", 11.0, 4.0) == [(10.0, 2.0), (11.0, 4.0)]
    assert orders.set("b", 0.0, 0.0) == [(10.0, 0)]
    assert orders.set("b", 0.0, 0.0) == []
    assert list(orders) == [("a", 11.0, 4.0)]


def test_removed_orders_leave_nothing_behind() -> None:
    orders = LevelOrders()
    for number in range(100):
        orders.set(f"order {number}", float(number), 1.0)
        orders.set(f"order {number}", 0.0, 0.0)
    assert vars(orders) == vars(LevelOrders())
