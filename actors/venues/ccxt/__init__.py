"""Any exchange that ccxt knows, behind the port that every venue offers."""
