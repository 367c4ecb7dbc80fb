"""What every training needs, whatever it trains: options, the folder of a run, checkpoints, workers, a command line."""
