"""One attack a file; ``credenza.redteam.builtin`` lists them."""
