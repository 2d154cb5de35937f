"""What a position is worth and what moves it: options, bonds, factor exposures, bumps of any price."""
