"""FIX 4.4: order routing over a session of the QuickFIX engine; what venues do differently is data."""
