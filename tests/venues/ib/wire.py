"""The wire of TWS, server version 178: frames, and the long positional messages by the names of their fields."""

SERVER_VERSION = 178
CONTRACT = (
    "con_id",
    "symbol",
    "sec_type",
    "expiry",
    "strike",
    "right",
    "multiplier",
    "exchange",
    "currency",
    "local_symbol",
    "trading_class",
)
"""As TWS tells it; what clients send has the primary exchange behind the exchange."""
ASKED_CONTRACT = (*CONTRACT[:8], "primary_exchange", *CONTRACT[8:])

PLACE_ORDER = (
    "kind",
    "order_id",
    *ASKED_CONTRACT,
    "sec_id_type",
    "sec_id",
    "action",
    "quantity",
    "order_type",
    "limit_price",
    "aux_price",
    "tif",
    "oca_group",
    "account",
    "open_close",
    "origin",
    "order_ref",
    "transmit",
    "parent_id",
    "block_order",
    "sweep_to_fill",
    "display_size",
    "trigger_method",
    "outside_rth",
    "hidden",
    "shares_allocation",
    "discretionary_amount",
    "good_after_time",
    "good_till_date",
    "fa_group",
    "fa_method",
    "fa_percentage",
    "model_code",
    "short_sale_slot",
    "designated_location",
    "exempt_code",
    "oca_type",
    "rule_80a",
    "settling_firm",
    "all_or_none",
    "min_qty",
    "percent_offset",
    "etrade_only",
    "firm_quote_only",
    "nbbo_price_cap",
    "auction_strategy",
    "starting_price",
    "stock_ref_price",
    "delta",
    "stock_range_lower",
    "stock_range_upper",
    "override_percentage",
    "volatility",
    "volatility_type",
    "delta_neutral_order_type",
    "delta_neutral_aux_price",
    "continuous_update",
    "reference_price_type",
    "trail_stop_price",
    "trailing_percent",
)
"""The beginning of message 3 for an order without legs."""

_UNSET = "1.7976931348623157E308"
_UNSET_INT = "2147483647"

# One name per field of message 5 for a plain order; `=value` behind a name is what TWS sends when nothing is set.
_OPEN_ORDER = """
order_id *contract action quantity order_type limit_price=0.0 aux_price=0.0 tif oca_group account open_close
origin=0 order_ref client_id perm_id outside_rth=0 hidden=0 discretionary_amount=0 good_after_time
shares_allocation fa_group fa_method fa_percentage model_code good_till_date rule_80a percent_offset
settling_firm short_sale_slot=0 designated_location exempt_code=-1 auction_strategy=0 starting_price
stock_ref_price delta stock_range_lower stock_range_upper display_size block_order=0 sweep_to_fill=0
all_or_none=0 min_qty oca_type=3 etrade_only=0 firm_quote_only=0 nbbo_price_cap parent_id=0 trigger_method=0
volatility volatility_type=0 delta_neutral_order_type delta_neutral_aux_price continuous_update=0
reference_price_type=0 trail_stop_price trailing_percent basis_points basis_points_type combo_legs_description
legs=0 order_legs=0 smart_combo_params=0 scale_init scale_subs scale_increment hedge_type opt_out=0
clearing_account clearing_intent=IB not_held=0 delta_neutral=0 algo_strategy solicited=0 what_if=0 status
init_margin_before maint_margin_before equity_before init_margin_change maint_margin_change equity_change
init_margin_after maint_margin_after equity_after commission min_commission max_commission
commission_currency warning_text randomize_size=0 randomize_price=0 conditions=0 adjusted_order_type=None
trigger_price=UNSET trail_stop_price=UNSET limit_price_offset=UNSET adjusted_stop_price=UNSET
adjusted_stop_limit_price=UNSET adjusted_trailing_amount=UNSET adjustable_trailing_unit=0 soft_dollar_name
soft_dollar_value soft_dollar_display_name cash_qty=0 dont_use_auto_price_for_hedge=1 is_oms_container=0
discretionary_up_to_limit_price=0 use_price_mgmt_algo=0 duration=INT post_to_ats=INT auto_cancel_parent=0
min_trade_qty=INT min_compete_size=INT compete_against_best_offset=UNSET mid_offset_at_whole=UNSET
mid_offset_at_half=UNSET
"""

_COMPLETED_ORDER = """
*contract action quantity order_type limit_price=0.0 aux_price=0.0 tif oca_group account open_close origin=0
order_ref perm_id outside_rth=0 hidden=0 discretionary_amount=0 good_after_time fa_group fa_method
fa_percentage model_code good_till_date rule_80a percent_offset settling_firm short_sale_slot=0
designated_location exempt_code=-1 starting_price stock_ref_price delta stock_range_lower stock_range_upper
display_size sweep_to_fill=0 all_or_none=0 min_qty oca_type=3 trigger_method=0 volatility volatility_type=0
delta_neutral_order_type delta_neutral_aux_price continuous_update=0 reference_price_type=0 trail_stop_price
trailing_percent combo_legs_description legs=0 order_legs=0 smart_combo_params=0 scale_init scale_subs
scale_increment hedge_type clearing_account clearing_intent=IB not_held=0 delta_neutral=0 algo_strategy
solicited=0 status randomize_size=0 randomize_price=0 conditions=0 trail_stop_price=UNSET
limit_price_offset=UNSET cash_qty=0 dont_use_auto_price_for_hedge=1 is_oms_container=0 auto_cancel_date
filled=0 ref_futures_con_id=0 auto_cancel_parent=0 shareholder imbalance_only=0 route_marketable_to_bbo=0
parent_perm_id=0 completed_time completed_status min_trade_qty=INT min_compete_size=INT
compete_against_best_offset=UNSET mid_offset_at_whole=UNSET mid_offset_at_half=UNSET
"""

_EXECUTION = """
request_id order_id *contract exec_id time account execution_exchange side shares price perm_id client_id
liquidation=0 cum_qty avg_price order_ref ev_rule ev_multiplier model_code last_liquidity=2
pending_price_revision=0
"""

_CONTRACT_DETAILS = """
request_id symbol sec_type expiry strike right exchange currency local_symbol market_name trading_class con_id
min_tick multiplier order_types valid_exchanges price_magnifier=1 under_con_id=0 long_name primary_exchange
contract_month industry category subcategory time_zone trading_hours liquid_hours ev_rule ev_multiplier
security_ids=0 aggregate_group=1 under_symbol under_sec_type market_rule_ids real_expiry stock_type min_size=1
size_increment=1 suggested_size_increment=100
"""


def _fields(text):
    pairs = []
    for word in text.split():
        if word == "*contract":
            pairs += [(name, "") for name in CONTRACT]
            continue
        name, _, default = word.partition("=")
        pairs.append((name, {"UNSET": _UNSET, "INT": _UNSET_INT}.get(default, default)))
    return tuple(pairs)


SCHEMAS = {
    5: _fields(_OPEN_ORDER),
    101: _fields(_COMPLETED_ORDER),
    11: _fields(_EXECUTION),
    10: _fields(_CONTRACT_DETAILS),
}


def message(kind, values):
    """Return the fields of a long message; a value of None, or one that is not there, is the default."""
    given = {name: value for name, value in values.items() if value is not None}
    return [kind, *(given.get(name, default) for name, default in SCHEMAS[kind])]


def frame(fields):
    """Return one message as bytes."""
    payload = "".join(f"{_text(field)}\0" for field in fields).encode()
    return len(payload).to_bytes(4, "big") + payload


def _text(value):
    if isinstance(value, bool):
        return str(int(value))
    if value is None:
        return ""
    return str(value)
