"""The Parquet catalogue: import, quality, corporate actions, resampling, and what is loaded from it."""
