"""How many meal events a second the daily stream folds on one core, with everything on that exactness costs."""
