"""The load lab: arrivals, histograms, fits and searches over the load that `loadtest` brings."""
