"""Hidden tests: how they are written, whom they compare with, how they run over many submissions."""
