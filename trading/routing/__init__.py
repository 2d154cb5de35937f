"""Where to send an order that several venues could take."""
