"""The pure core: what a run is and what comes next. No disk, net, clock, chance or log."""
