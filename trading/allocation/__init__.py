"""How much to put where: Kelly, portfolio construction, and the orders that bring a portfolio there."""
