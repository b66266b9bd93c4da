"""Several sources at once, on several sites, over real sockets and files, for as long as one likes.

`python -m tests.many_sources --minutes 10`; `make test` has a short one. In the end the board shows what each
source was made to tell, `vigie verify` finds no difference, and nothing grows.
"""
