"""What is documented is what there is."""

import re
from pathlib import Path

from serve.mcp.reference import with_tables
from serve.mcp.resources import TEMPLATES, URIS
from serve.mcp.shelf import load_tools
from serve.mcp.tool import TOOLS
from tests.serve.mcp.calls import VALID

load_tools()
PAGE = Path(__file__).parents[3] / "docs" / "mcp.md"
PROMISED = {
    "portfolio": "ping get_portfolio_status get_positions get_system_metrics performance_report "
    "get_execution_analytics monitor_strategy_health run_benchmark",
    "trading": "simulate_trade execute_trade execute_multi_asset_trade list_orders get_order cancel_order "
    "cancel_all_orders replace_order pause_trading resume_trading kill_switch",
    "strategy": "list_strategies get_strategy_info quick_analysis run_backtest optimize_strategy portfolio_rebalance "
    "cross_asset_correlation_matrix recommend_strategy switch_active_strategy get_strategy_comparison "
    "adaptive_strategy_selection",
    "risk": "risk_analysis correlation_analysis calculate_kelly_criterion get_risk_limits set_risk_limit",
    "neural": "neural_forecast neural_train neural_evaluate neural_backtest neural_model_status neural_optimize",
    "cluster": "neural_predict_distributed neural_cluster_status neural_cluster_init neural_train_distributed "
    "neural_cluster_terminate",
    "agent": "submit_strategy get_report_card promote_strategy list_agents run_in_sandbox sandbox_status",
    "data": "get_bars list_symbols",
    "jobs": "get_job cancel_job list_jobs",
    "core": "list_toolsets",
}


def test_page_is_made_from_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run `make docs`"


def test_list_is_code_is_documentation_is_what_is_tried() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    promised = {name for names in PROMISED.values() for name in names.split()}
    assert documented - {"read"} == set(TOOLS) == promised == set(VALID)
    for toolset, names in PROMISED.items():
        assert {TOOLS[name].toolset.value for name in names.split()} == {toolset}


def test_resources_and_prompts_are_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in (*URIS, *TEMPLATES, "research", "risk_review", "post_mortem"):
        assert f"`{name}`" in page
