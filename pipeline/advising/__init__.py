"""Which of the four cases of transfer a data set is: what is measured, and what follows from it.

Small or large, similar to what the network was trained on or different.

References
----------
A. Karpathy and others, "Transfer learning", notes of Stanford's CS231n,
https://cs231n.github.io/transfer-learning/: the four cases, and what to do in each.
"""
