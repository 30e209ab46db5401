"""The engine process: one thread that talks and never computes, one that computes and never talks."""
