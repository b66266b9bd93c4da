"""An independent, slow and plain fold of a whole history, to compare the real one with.

Written from SEMANTICS.md alone: every figure is a loop over all visits or all agents' time,
nothing is incremental, and no code of the services is used.
"""
