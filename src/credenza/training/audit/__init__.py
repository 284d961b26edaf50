"""A trained model, compared with one that learnt from verified rows alone."""
