"""A release told in the words of other tools. Pure: facts in, documents out."""
