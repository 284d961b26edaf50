"""Who sent it, that it is whole, and what it says: signatures, manifests and intake."""
