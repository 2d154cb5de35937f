"""Market data in: sources of prices, the replay that paces them, the guard that refuses bad ones."""
