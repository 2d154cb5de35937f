"""What a portfolio would lose: scenarios, replays of history, broken correlations, dry markets, the worst that is likely."""
