"""Mending a model that learnt poison, with figures before and after and no promise."""
