"""What a venue streams, made into what the cluster trades on: numbered ticks, bars, slices, history."""
