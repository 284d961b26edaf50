"""One detector a file; ``credenza.screening.builtin`` lists them."""
